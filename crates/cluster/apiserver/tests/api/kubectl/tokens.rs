//! Tokens as people get and use them.

use super::start;

#[tokio::test(flavor = "multi_thread")]
async fn creates_tokens_and_presents_them() {
    let (api, kubectl) = start().await;
    kubectl.line("create serviceaccount robot").await;
    let token = kubectl.line("create token robot --duration 20m").await;
    let authority = kubectl.home.join("ca.crt");
    std::fs::write(&authority, api.authority.certificate_pem()).unwrap();
    let mut command = kubectl.command(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
    command
        .env("KUBECONFIG", "/dev/null")
        .arg(format!("--server=https://{}", api.address))
        .arg(format!("--certificate-authority={}", authority.display()))
        .arg(format!("--token={}", token.trim()));
    let ended = kubectl.ended(command, None).await;
    assert_eq!(ended.out, "system:serviceaccount:default:robot", "{}", ended.err);
    api.stop().await;
}
