//! Nothing is lost while the table changes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::watch,
};

use crate::{
    scene::{DEADLINE, Scene, Version},
    tools::{Tool, read_head},
};

const CHANGES: usize = 1000;
const CLIENTS: usize = 8;

#[tokio::test]
async fn a_thousand_changes_of_the_table_cost_no_request_and_no_open_connection() {
    let scene = Arc::new(Scene::new().await);
    let tools = [
        Tool::named("alpha").await,
        Tool::named("alpha").await,
        Tool::named("alpha").await,
    ];
    let echo = Tool::on_connection(|mut stream| async move {
        read_head(&mut stream).await;
        let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(switch.as_bytes()).await.unwrap();
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            stream.write_all(&bytes[..count]).await.unwrap();
        }
    })
    .await;
    scene.route("alpha", &[tools[0].address]);
    scene.route("chat", &[echo.address]);
    let mut chat = scene.raw("chat").await;
    chat.send("GET / HTTP/1.1\r\nhost: chat.toolforge.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await;
    assert!(chat.head().await.starts_with("HTTP/1.1 101 "));

    let is_over = Arc::new(AtomicBool::new(false));
    let (answered, mut answers) = watch::channel(0_usize);
    let load: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (scene, is_over, answered) = (scene.clone(), is_over.clone(), answered.clone());
            let version = if number % 2 == 0 {
                Version::Http1
            } else {
                Version::Http2
            };
            tokio::spawn(async move {
                let (client, url) = (scene.client("alpha", version), scene.url("alpha", "/"));
                while !is_over.load(Ordering::Relaxed) {
                    // Bodies make requests that nobody may send a second time.
                    let response = client.post(&url).body("hello").send().await.unwrap();
                    assert_eq!(response.status(), 200, "after {} requests", *answered.borrow());
                    assert_eq!(response.text().await.unwrap(), "alpha");
                    answered.send_modify(|count| *count += 1);
                }
            })
        })
        .collect();
    for change in 0..CHANGES {
        let (one, other) = (change % 3, (change / 3) % 3);
        scene.route("alpha", &[tools[one].address, tools[other].address]);
        if change % 10 == 0 {
            scene.route("chat", &[]);
            scene.route(&format!("other-{change}"), &[tools[0].address]);
        }
        // Some requests go by each table.
        answers.mark_unchanged();
        let answer = tokio::time::timeout(DEADLINE, answers.changed()).await;
        answer.expect("requests go on").expect("somebody asks");
    }
    is_over.store(true, Ordering::Relaxed);
    drop(answered);
    for client in load {
        client.await.unwrap();
    }
    assert!(*answers.borrow() >= CHANGES);
    // Its route is gone, and it is not.
    chat.send("still here\n").await;
    assert_eq!(chat.until("\n").await, "still here\n");
}
