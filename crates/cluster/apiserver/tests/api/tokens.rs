//! Tokens of service accounts: issued, presented, reviewed, and worth nothing once what they are bound to has gone.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use k8s_openapi::api::core::v1::{Pod, Secret, ServiceAccount};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::access::{get, object, refused};
use crate::harness::{DEADLINE, Harness};
use crate::objects::pod;

/// The API as the audience of a token.
const OWN: &str = "https://kubernetes.default.svc.cluster.local";

async fn post(client: &kube::Client, path: &str, body: &Value) -> Result<Value, kube::Error> {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .unwrap();
    client.request(request).await
}

async fn account(api: &Harness, name: &str) -> ServiceAccount {
    let accounts: Api<ServiceAccount> = Api::namespaced(api.admin(), "default");
    let account = object(json!({"metadata":{"name":name}}));
    accounts.create(&PostParams::default(), &account).await.unwrap()
}

/// Asks for a token of the account `robot`.
async fn request(client: &kube::Client, spec: &Value) -> Result<Value, kube::Error> {
    let path = "/api/v1/namespaces/default/serviceaccounts/robot/token";
    post(client, path, &json!({ "spec": spec })).await
}

async fn token(api: &Harness, spec: &Value) -> String {
    let answer = request(&api.admin(), spec).await.unwrap();
    answer["status"]["token"].as_str().unwrap().to_owned()
}

fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

async fn who(client: &kube::Client) -> Result<Value, kube::Error> {
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let answer = post(client, path, &json!({})).await?;
    Ok(answer["status"]["userInfo"].clone())
}

async fn review(api: &Harness, spec: &Value) -> Value {
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let answer = post(&api.admin(), path, &json!({ "spec": spec })).await.unwrap();
    answer["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_its_bearer_the_account() {
    let api = Harness::start().await;
    let robot = account(&api, "robot").await;
    let answer = request(&api.admin(), &json!({})).await.unwrap();
    assert_eq!(answer["kind"], "TokenRequest");
    assert_eq!(answer["metadata"]["name"], "robot");
    assert_eq!(
        answer["spec"],
        json!({"audiences":[OWN],"expirationSeconds":3600})
    );
    let token = answer["status"]["token"].as_str().unwrap();
    let found = claims(token);
    assert_eq!(found["sub"], "system:serviceaccount:default:robot");
    assert_eq!(
        found["exp"].as_i64().unwrap() - found["iat"].as_i64().unwrap(),
        3600
    );
    assert_eq!(
        found["kubernetes.io"]["serviceaccount"]["uid"],
        json!(robot.metadata.uid)
    );
    let client = api.with_token(token).await;
    let user = who(&client).await.unwrap();
    let id = format!("JTI={}", found["jti"].as_str().unwrap());
    assert_eq!(
        user,
        json!({
            "username": "system:serviceaccount:default:robot", "uid": robot.metadata.uid,
            "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
            "extra": {"authentication.kubernetes.io/credential-id": [id]},
        })
    );
    let pods: Api<Pod> = Api::namespaced(client, "default");
    let expected = r#"pods "x" is forbidden: User "system:serviceaccount:default:robot" cannot get resource "pods" in API group "" in the namespace "default""#;
    assert_eq!(refused(pods.get("x").await), (403, expected.to_owned()));
    let stranger = api.with_token(&format!("{token}x")).await;
    assert_eq!(refused(who(&stranger).await).0, 401);
    let folder = api.stop().await;
    let again = Harness::start_in(folder).await;
    let client = again.with_token(token).await;
    assert_eq!(who(&client).await.unwrap(), user);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_pod_and_its_account() {
    let api = Harness::start().await;
    account(&api, "robot").await;
    let pods: Api<Pod> = Api::namespaced(api.admin(), "default");
    let mut mine = pod("mine");
    mine.spec.as_mut().unwrap().service_account_name = Some("robot".to_owned());
    let made = pods.create(&PostParams::default(), &mine).await.unwrap();
    let uid = made.metadata.uid.unwrap();
    let bound =
        |uid: &str| json!({"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"mine","uid":uid}});
    let in_pod = api.with_token(&token(&api, &bound(&uid)).await).await;
    let free = api.with_token(&token(&api, &json!({})).await).await;
    let user = who(&in_pod).await.unwrap();
    assert_eq!(
        user["extra"]["authentication.kubernetes.io/pod-name"],
        json!(["mine"])
    );
    assert_eq!(
        user["extra"]["authentication.kubernetes.io/pod-uid"],
        json!([uid])
    );
    let (code, message) = refused(request(&api.admin(), &bound("another")).await);
    assert_eq!(code, 409);
    assert!(message.contains("does not match the UID in record"), "{message}");

    pods.delete("mine", &DeleteParams::default()).await.unwrap();
    assert_eq!(refused(who(&in_pod).await).0, 401);
    pods.create(&PostParams::default(), &mine).await.unwrap();
    assert_eq!(refused(who(&in_pod).await).0, 401, "another Pod has the name now");
    who(&free).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(api.admin(), "default");
    accounts.delete("robot", &DeleteParams::default()).await.unwrap();
    assert_eq!(refused(who(&free).await).0, 401);
    account(&api, "robot").await;
    assert_eq!(
        refused(who(&free).await).0,
        401,
        "another account has the name now"
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_token_has_limits() {
    let api = Harness::start().await;
    account(&api, "robot").await;
    account(&api, "other").await;
    let pods: Api<Pod> = Api::namespaced(api.admin(), "default");
    let mut theirs = pod("theirs");
    theirs.spec.as_mut().unwrap().service_account_name = Some("other".to_owned());
    pods.create(&PostParams::default(), &theirs).await.unwrap();
    let bound =
        |kind: &str, name: &str| json!({"boundObjectRef":{"apiVersion":"v1","kind":kind,"name":name}});
    for (spec, code, expected) in [
        (
            json!({"expirationSeconds": 599}),
            422,
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
        ),
        (
            json!({"expirationSeconds": (1_i64 << 32) + 1}),
            422,
            "may not specify a duration larger than 2^32 seconds",
        ),
        (bound("Pod", "none"), 404, "pods \"none\" not found"),
        (
            bound("Pod", "theirs"),
            400,
            "cannot bind token for serviceaccount \"robot\" to pod running with different serviceaccount name.",
        ),
        (
            bound("ConfigMap", "c"),
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
    ] {
        let (found, message) = refused(request(&api.admin(), &spec).await);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let nobody = "/api/v1/namespaces/default/serviceaccounts/nobody/token";
    let (code, message) = refused(post(&api.admin(), nobody, &json!({})).await);
    assert_eq!(
        (code, message.as_str()),
        (404, "serviceaccounts \"nobody\" not found")
    );
    let stranger = api.server.client("ada", &[]);
    assert_eq!(refused(request(&stranger, &json!({})).await).0, 403);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_issues_nothing() {
    let api = Harness::start().await;
    account(&api, "robot").await;
    let path = "/api/v1/namespaces/default/serviceaccounts/robot/token?dryRun=All";
    let answer = post(&api.admin(), path, &json!({})).await.unwrap();
    assert_eq!(answer["status"]["token"], "");
    assert_eq!(answer["spec"]["audiences"], json!([OWN]));
    let short = json!({"spec": {"expirationSeconds": 1}});
    assert_eq!(refused(post(&api.admin(), path, &short).await).0, 422);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_others_is_reviewed_and_does_not_open_the_api() {
    let api = Harness::start().await;
    account(&api, "robot").await;
    let vault = token(&api, &json!({"audiences": ["vault"]})).await;
    assert_eq!(refused(who(&api.with_token(&vault).await).await).0, 401);
    let found = review(&api, &json!({"token": vault, "audiences": ["vault", "bank"]})).await;
    assert_eq!(
        (&found["authenticated"], &found["audiences"]),
        (&json!(true), &json!(["vault"]))
    );
    assert_eq!(found["user"]["username"], "system:serviceaccount:default:robot");
    let refused_audience = review(&api, &json!({ "token": vault })).await;
    let expected = format!(r#"token audiences ["vault"] is invalid for the target audiences ["{OWN}"]"#);
    assert_eq!(refused_audience, json!({"user": {}, "error": expected}));
    let nonsense = review(&api, &json!({"token": "nonsense"})).await;
    assert_eq!(nonsense, json!({"user": {}, "error": "invalid bearer token"}));
    let own = review(&api, &json!({"token": token(&api, &json!({})).await})).await;
    assert_eq!(own["audiences"], json!([OWN]));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_read_how_to_check_tokens_and_strangers_do_not() {
    let api = Harness::start().await;
    account(&api, "robot").await;
    let client = api.with_token(&token(&api, &json!({})).await).await;
    let read = |path: &'static str| {
        let client = client.clone();
        async move { serde_json::from_str::<Value>(&get(&client, path).await.unwrap()).unwrap() }
    };
    let document = read("/.well-known/openid-configuration").await;
    assert_eq!(document["issuer"], OWN);
    assert_eq!(
        document["jwks_uri"],
        format!("https://{}/openid/v1/jwks", api.address)
    );
    let keys = read("/openid/v1/jwks").await;
    assert_eq!(keys["keys"][0]["kty"], "EC");
    assert_eq!(get(&api.anonymous().await, "/openid/v1/jwks").await, Err(401));
    assert_eq!(
        get(&api.server.client("ada", &[]), "/openid/v1/jwks").await,
        Err(403)
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_filled_with_a_token_and_goes_with_its_account() {
    let api = Harness::start().await;
    account(&api, "robot").await;
    let secrets: Api<Secret> = Api::namespaced(api.admin(), "default");
    let secret = |account: &str| -> Secret {
        object(
            json!({"metadata":{"name":account,"annotations":{"kubernetes.io/service-account.name":account}},
            "type":"kubernetes.io/service-account-token"}),
        )
    };
    secrets
        .create(&PostParams::default(), &secret("robot"))
        .await
        .unwrap();
    let filled = wait(&secrets, "robot", |secret| {
        secret
            .and_then(|secret| secret.data)
            .filter(|data| data.contains_key("token"))
    })
    .await;
    assert_eq!(filled["namespace"].0, b"default");
    assert_eq!(filled["ca.crt"].0, api.authority.certificate_pem().as_bytes());
    let token = String::from_utf8(filled["token"].0.clone()).unwrap();
    assert!(STANDARD.decode(&token).is_err());
    let client = api.with_token(&token).await;
    assert_eq!(
        who(&client).await.unwrap()["username"],
        "system:serviceaccount:default:robot"
    );

    secrets
        .create(&PostParams::default(), &secret("nobody"))
        .await
        .unwrap();
    wait(&secrets, "nobody", |secret| secret.is_none().then_some(())).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(api.admin(), "default");
    accounts.delete("robot", &DeleteParams::default()).await.unwrap();
    wait(&secrets, "robot", |secret| secret.is_none().then_some(())).await;
    assert_eq!(refused(who(&client).await).0, 401);
    api.stop().await;
}

/// Waits until the Secret is as wanted, or gone.
async fn wait<T>(secrets: &Api<Secret>, name: &str, wanted: impl Fn(Option<Secret>) -> Option<T>) -> T {
    use futures::StreamExt as _;
    let config = kube::runtime::watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut changes = std::pin::pin!(kube::runtime::watcher(secrets.clone(), config));
    let found = async {
        loop {
            if let Some(found) = wanted(secrets.get_opt(name).await.unwrap()) {
                return found;
            }
            changes.next().await;
        }
    };
    tokio::time::timeout(DEADLINE, found)
        .await
        .expect("the Secret comes to be as wanted")
}
