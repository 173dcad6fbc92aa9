//! The original's protocol (facts 5.3, case 38), byte for byte.

use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use toolforge_registrations::{Event, RegistrationSettings};

use crate::scene::{Ident, Scene, read_all, server, settings};

const IDENT_FAILED: &str = "Identd authentication failed. Please contact an administrator";
const NO_TOOL: &str = "This service available only to tool accounts";

#[tokio::test]
async fn a_tool_registers_is_led_to_and_unregisters() {
    let scene = Scene::new().await;
    let (address, _server) = server("").await;
    let mut stream = TcpStream::connect(scene.lines).await.unwrap();
    let peer = stream.local_addr().unwrap();
    stream
        .write_all(format!("register\n.*\nhttp://{address}\n").as_bytes())
        .await
        .unwrap();
    assert_eq!(read_all(&mut stream).await, "ok");
    let question = scene.asked.borrow().clone();
    assert_eq!(question, format!("{},{}\n", peer.port(), scene.lines.port()));
    assert_eq!(scene.led_to("alpha"), [address]);
    // It is what it is when it is said again, and gone when it is taken back.
    assert_eq!(
        scene.send(format!("register\n.*\nhttp://{address}\n")).await,
        "ok"
    );
    assert_eq!(scene.routed.borrow().len(), 1);
    assert_eq!(scene.send("unregister\n.*\n").await, "ok");
    assert!(scene.routed.borrow().is_empty());
    assert_eq!(scene.send("unregister\n.*\n").await, "ok");
    assert_eq!(scene.send("unregister\n(\n").await, "ok");
}

#[tokio::test]
async fn canonical_is_answered_once_and_leads_from_the_shared_host_until_it_is_taken_back() {
    let scene = Scene::new().await;
    let (address, _server) = server("").await;
    let moves = || {
        let registered = scene.routed.borrow();
        let mut routes = registered.iter().flat_map(|registered| &registered.routes);
        routes.any(|route| {
            route.host == "tools.test" && route.moved_to.as_deref() == Some("alpha.toolforge.test")
        })
    };
    let register = |command: &str| format!("{command}\n.*\nhttp://{address}\n");
    assert_eq!(scene.send(register("registerCanonical")).await, "ok");
    assert!(moves());
    // As in the original, nothing but `unregister` takes that back.
    assert_eq!(scene.send(register("register")).await, "ok");
    assert!(moves());
    assert_eq!(scene.send("unregister\n.*\n").await, "ok");
    assert_eq!(scene.send(register("register")).await, "ok");
    assert!(!moves());
}

#[tokio::test]
async fn only_tools_are_let_in_and_each_changes_only_what_is_its_own() {
    let scene = Scene::new().await;
    let (address, _server) = server("").await;
    let register = format!("register\n.*\nhttp://{address}\n");
    for user in [
        "root",
        "alpha",
        "tool.alpha",
        "tools",
        "tools.",
        "tools.A_b",
        "xtools.alpha",
        "tools.a/b",
    ] {
        scene.ident.send_replace(Ident::user(user));
        assert_eq!(scene.send(&register).await, NO_TOOL, "{user}");
    }
    for bytes in [
        &b""[..],
        b"\r\n",
        b"1, 2 : USERID : UNIX : tools.alpha\r\n",
        b"ERROR : NO-USER\r\n",
        b"\xff\xff\xff\r\n",
        &[b'x'; 4096],
    ] {
        scene.ident.send_replace(Ident::Bytes(bytes.to_vec()));
        assert_eq!(scene.send(&register).await, IDENT_FAILED, "{bytes:?}");
    }
    assert!(scene.routed.borrow().is_empty());
    assert_eq!(scene.seen.figures().count(Event::IdentFailed), 6);
    scene.register("tools.alpha", address).await;
    scene.register("tools.beta", address).await;
    assert_eq!(scene.send("unregister\n.*\n").await, "ok");
    assert_eq!((scene.led_to("alpha").len(), scene.led_to("beta").len()), (1, 0));
}

#[tokio::test]
async fn what_nobody_could_mean_fails_and_what_breaks_a_rule_is_told() {
    let scene = Scene::new().await;
    assert_eq!(scene.send("list\n").await, "fail");
    assert_eq!(scene.send("REGISTER\n.*\nhttp://127.0.0.1:4000\n").await, "fail");
    for (destination, rule) in [
        ("http://127.0.0.1:22", "port 22"),
        ("http://169.254.169.254:8000", "link-local"),
        ("http://10.0.0.1:8000", "networks"),
        ("https://127.0.0.1:8000", "https"),
        ("", "http://"),
    ] {
        let answer = scene.send(format!("register\n.*\n{destination}\n")).await;
        assert!(answer.starts_with("Not registered: destination: "), "{answer}");
        assert!(answer.contains(rule), "{answer}");
    }
    // The platform does not lead to itself.
    for own in [scene.lines, scene.api, scene.list] {
        let answer = scene.send(format!("register\n.*\nhttp://{own}\n")).await;
        assert!(answer.contains("the platform's own"), "{answer}");
    }
    let answer = scene.send("register\n(\nhttp://127.0.0.1:4000\n").await;
    assert!(answer.contains("no regular expression"), "{answer}");
    assert!(scene.routed.borrow().is_empty());
}

#[tokio::test]
async fn from_networks_that_are_not_named_nobody_is_answered_and_no_ident_asked() {
    let elsewhere = RegistrationSettings {
        line_networks: vec!["10.0.0.0/8".into()],
        ..settings()
    };
    let scene = Scene::with(&elsewhere).await;
    let mut stream = TcpStream::connect(scene.lines).await.unwrap();
    assert_eq!(read_all(&mut stream).await, "");
    assert_eq!(*scene.asked.borrow(), "");
    // The operator may change that while it runs.
    scene.rules.send_replace(crate::scene::rules(&settings()));
    let (address, _server) = server("").await;
    scene.register("tools.alpha", address).await;
}

#[tokio::test]
async fn without_networks_of_destinations_a_tool_leads_only_back_to_itself() {
    let none = RegistrationSettings {
        destination_networks: Vec::new(),
        ..settings()
    };
    let mut scene = Scene::new().await;
    let (address, _server) = server("").await;
    scene.register("tools.alpha", address).await;
    // What breaks a rule by now is not served any more, and is served again when it does not.
    scene.rules.send_replace(crate::scene::rules(&none));
    scene.routed_when(<[_]>::is_empty).await;
    let answer = scene.send(format!("register\n.*\nhttp://{address}\n")).await;
    assert!(answer.contains("own machine"), "{answer}");
    scene.rules.send_replace(crate::scene::rules(&settings()));
    scene.routed_when(|routed| routed.len() == 1).await;
}
