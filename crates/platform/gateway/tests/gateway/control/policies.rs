//! Another policy: what is known already is judged by it, and what is kept says by which it was judged.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Gateway, policy, until_published};
use crate::{
    cluster::Cluster,
    scene::{DEADLINE, DOMAIN, LOOK_AGAIN},
    tools::Tool,
};

#[tokio::test]
async fn ingresses_are_judged_by_the_newest_policy_also_those_that_were_known() {
    let (cluster, tool) = (Cluster::new().await, Tool::named("alpha").await);
    let folder = tempfile::tempdir().unwrap();
    let last_table = folder.path().join("table.json");
    let (policies, followed) = watch::channel(Arc::new(policy(DOMAIN)));
    let gateway = Gateway::by(followed.into(), cluster.client.clone(), last_table.clone()).await;
    for (name, host) in [
        ("alpha", format!("alpha.{DOMAIN}")),
        ("beta", "beta.elsewhere.test".into()),
    ] {
        let namespace = format!("tool-{name}");
        cluster.create_namespace(&namespace).await;
        cluster.create_backend(&namespace, &tool).await;
        cluster.create_ingress(&namespace, "web", &host).await;
    }
    gateway.until_status("alpha", 200).await;
    assert_eq!(gateway.status_at("beta.elsewhere.test").await, 404);

    policies.send_replace(Arc::new(policy("elsewhere.test")));
    gateway.until_status("alpha", 404).await;
    gateway.until_status_at("beta.elsewhere.test", 200).await;
    until_published(&cluster.ingresses("tool-beta"), "web").await;
    assert_eq!(gateway.page("/readyz").await.0, 200);
    // What comes later is judged by it as well.
    cluster
        .create_ingress("tool-alpha", "late", "alpha.elsewhere.test")
        .await;
    gateway.until_status_at("alpha.elsewhere.test", 200).await;

    // Another class is no matter of any host, and none of what is known.
    let another = toolforge_policy::IngressPolicy::new(vec!["elsewhere.test".parse().unwrap()], "edge", []);
    policies.send_replace(Arc::new(another.unwrap()));
    gateway.until_status_at("beta.elsewhere.test", 404).await;
    policies.send_replace(Arc::new(policy("elsewhere.test")));
    gateway.until_status_at("beta.elsewhere.test", 200).await;

    // The API goes; what is kept is good under the policy of now, and under no other.
    let dead_api = cluster.client.clone();
    cluster.stop().await;
    policies.send_replace(Arc::new(policy(DOMAIN)));
    let heard_of = async {
        while gateway.redirects("alpha.elsewhere.test").await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(DEADLINE, heard_of)
        .await
        .expect("the new policy is heard of");
    assert_eq!(
        gateway.status_at("beta.elsewhere.test").await,
        200,
        "nobody can judge anew"
    );
    gateway.stop().await;
    let gateway = Gateway::by(
        policy("elsewhere.test").into(),
        dead_api.clone(),
        last_table.clone(),
    )
    .await;
    assert_eq!(gateway.status_at("beta.elsewhere.test").await, 200);
    gateway.stop().await;
    let gateway = Gateway::under(DOMAIN, dead_api, last_table).await;
    assert_eq!(
        gateway.status_at("beta.elsewhere.test").await,
        404,
        "its verdicts are those of another policy"
    );
    gateway.stop().await;
}
