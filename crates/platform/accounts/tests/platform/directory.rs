//! The directory's side of the account service, against Debian's slapd and against the embedded server: the same cases.

use std::time::{Duration, Instant};

use toolforge_accounts::{
    Changes, Creation, EditError, LdapFailure, NewUser, Snapshot, Tool, add_maintainer, create_tool,
    create_user, delete_tool, delete_user, list_users, lock_tool, lock_user, read_directory,
    remove_maintainer, unlock_tool, unlock_user,
};
use toolforge_model::{Chain, ToolName};

use crate::servers::{Follower, Server, Which, account, add_account, group, replace};

fn tool<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Tool> {
    snapshot.tools.get(name)?.as_ref().ok()
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.tools.keys().map(ToolName::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_directory_says_is_read_whole() {
    for which in Which::all() {
        let server = Server::start(which, &[("alpha", 50001), ("beta", 50002), ("a_b", 50003)]).await;
        let (tls, starttls) = server.urls();
        for url in [tls, starttls] {
            let mut access = server.access("reader");
            access.urls = vec![url];
            // Three entries are more than two pages of one.
            access.pace.page_entries = 1;
            let read = read_directory(&access).await.unwrap();
            assert_eq!(names(&read), ["alpha", "beta"], "{which:?}");
            assert!(read.skipped.contains("a_b"));
            assert_eq!(tool(&read, "alpha").unwrap().maintainers[0].name, "Grace Hopper");
            assert_eq!(read.admins.keys().collect::<Vec<_>>(), ["ada"]);
        }
    }
}

/// Every change is learned in every way that a server offers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_learned_as_they_happen() {
    for which in Which::all() {
        for changes in [
            Changes::Synchronisation,
            Changes::PersistentSearch,
            Changes::Differences,
        ] {
            if which == Which::Slapd && changes == Changes::PersistentSearch {
                continue;
            }
            let server = Server::start(which, &[("alpha", 50001)]).await;
            let mut follower = Follower::of(server.access("reader"), changes);
            let what = |step: &str| format!("{step}, {which:?}, {changes:?}");
            follower
                .until(&what("the first reading"), |known| names(known) == ["alpha"])
                .await;
            let mut ldap = server.admin().await;
            add_account(&mut ldap, "beta", "50002").await;
            follower
                .until(&what("an addition"), |known| tool(known, "beta").is_some())
                .await;
            replace(
                &mut ldap,
                &account("beta"),
                "pwdAccountLockedTime",
                &["000001010000Z"],
            )
            .await;
            follower
                .until(&what("a lock"), |known| {
                    tool(known, "beta").is_some_and(|beta| beta.locked)
                })
                .await;
            replace(&mut ldap, &account("beta"), "pwdAccountLockedTime", &[]).await;
            follower
                .until(&what("an unlocking"), |known| {
                    tool(known, "beta").is_some_and(|beta| !beta.locked)
                })
                .await;
            let ada = format!("uid=ada,ou=people,{}", crate::servers::BASE);
            replace(&mut ldap, &group("alpha"), "member", &[&ada]).await;
            replace(&mut ldap, &ada, "cn", &["Countess"]).await;
            follower
                .until(&what("another maintainer with a new name"), |known| {
                    tool(known, "alpha").is_some_and(|alpha| alpha.maintainers[0].name == "Countess")
                })
                .await;
            ldap.delete(&account("beta")).await.unwrap().success().unwrap();
            follower
                .until(&what("a removal"), |known| names(known) == ["alpha"])
                .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_while_nobody_listened_is_made_up_for() {
    for which in Which::all() {
        let mut server = Server::start(which, &[("alpha", 50001), ("beta", 50002)]).await;
        let mut follower = Follower::of(server.access("reader"), Changes::Best);
        follower
            .until("the first reading", |known| names(known) == ["alpha", "beta"])
            .await;
        for round in 0..2 {
            server.stop().await;
            let why = follower.until_failing().await;
            assert!(!why.is_empty());
            server.run().await;
            let mut ldap = server.admin().await;
            let (gone, new) = if round == 0 {
                ("beta", "gamma")
            } else {
                ("gamma", "delta")
            };
            ldap.delete(&account(gone)).await.unwrap().success().unwrap();
            add_account(&mut ldap, new, "50003").await;
            follower
                .until(&format!("round {round}, {which:?}"), |known| {
                    names(known) == ["alpha", new]
                })
                .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_servers_one_may_die() {
    for which in Which::all() {
        let mut first = Server::start(which, &[("alpha", 50001)]).await;
        let second = Server::start(which, &[("alpha", 50001), ("beta", 50002)]).await;
        let mut access = first.access("reader");
        access.urls.push(second.urls().0);
        access.ca_pem = Some(format!("{}{}", first.ca_pem(), second.ca_pem()));
        let mut follower = Follower::of(access, Changes::Best);
        follower
            .until("the first server", |known| names(known) == ["alpha"])
            .await;
        first.stop().await;
        follower
            .until(&format!("the second server, {which:?}"), |known| {
                names(known) == ["alpha", "beta"]
            })
            .await;
        // The one that answered last is kept, although the first is back.
        first.run().await;
        let mut ldap = second.admin().await;
        add_account(&mut ldap, "gamma", "50003").await;
        follower
            .until("news of the second server", |known| {
                tool(known, "gamma").is_some()
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_known_within_a_second() {
    for which in Which::all() {
        let tools: Vec<(String, u32)> = (0..300).map(|n| (format!("t{n}"), 50001 + n)).collect();
        let tools: Vec<(&str, u32)> = tools.iter().map(|(name, uid)| (name.as_str(), *uid)).collect();
        let server = Server::start(which, &tools).await;
        let mut follower = Follower::of(server.access("reader"), Changes::Best);
        follower
            .until("the first reading", |known| known.tools.len() == 300)
            .await;
        let mut ldap = server.admin().await;
        let mut times = Vec::new();
        for n in 0..20 {
            let name = format!("new{n}");
            let begun = Instant::now();
            add_account(&mut ldap, &name, "60001").await;
            follower
                .until("the new tool", |known| tool(known, &name).is_some())
                .await;
            times.push(begun.elapsed());
        }
        times.sort();
        println!("{which:?}: median {:?}, longest {:?}", times[10], times[19]);
        assert!(times[10] < Duration::from_secs(1), "{which:?}: {times:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_cut_short_is_no_answer() {
    if !Which::all().contains(&Which::Slapd) {
        return;
    }
    let server = Server::start_limited(Which::Slapd, &[("alpha", 50001), ("beta", 50002)], "1").await;
    let failure = read_directory(&server.access("reader")).await.unwrap_err();
    assert!(matches!(failure, LdapFailure::CutShort { .. }), "{failure:?}");
    assert!(
        failure.to_string().contains("raise the server's limits"),
        "{failure}"
    );
    let mut follower = Follower::of(server.access("reader"), Changes::Best);
    let why = follower.until_failing().await;
    assert!(why.contains("cut its answer"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_is_told_why() {
    for which in Which::all() {
        let server = Server::start(which, &[]).await;
        let wrong = server
            .access("reader")
            .bound_as(format!("cn=reader,{}", crate::servers::BASE), "wrong");
        let text = Chain(&read_directory(&wrong).await.unwrap_err()).to_string();
        assert!(
            text.contains("refused to bind") && text.contains("invalidCredentials"),
            "{text}"
        );
        let other = toolforge_pki::Authority::create("another authority").unwrap();
        for url in [server.urls().0, server.urls().1] {
            let mut access = server
                .access("reader")
                .trusting(Some(other.certificate_pem().to_owned()));
            access.urls = vec![url];
            let failure = read_directory(&access).await.unwrap_err();
            assert!(matches!(failure, LdapFailure::Connect { .. }), "{failure:?}");
        }
        // The embedded server's one port takes no password in the clear, whatever the client is told to do.
        let mut access = server.access("reader");
        access.urls = vec![server.urls().1];
        access.plaintext_on_loopback = true;
        if which == Which::Embedded {
            let text = Chain(&read_directory(&access).await.unwrap_err()).to_string();
            assert!(text.contains("StartTLS"), "{text}");
        } else {
            read_directory(&access).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_are_created_locked_and_removed_over_ldap() {
    for which in Which::all() {
        let server = Server::start(which, &[("alpha", 50001)]).await;
        let access = server.access("admin");
        let creation = Creation::below("/data/project");
        let name = "beta".parse().unwrap();
        let maintainers = ["ada".to_owned()];
        let created = create_tool(&access, &creation, &name, &maintainers)
            .await
            .unwrap();
        assert_eq!(created.uid, 50000, "{which:?}");
        let again = create_tool(&access, &creation, &name, &maintainers).await;
        assert!(matches!(again, Err(EditError::Exists { .. })), "{again:?}");
        assert!(lock_tool(&access, &name).await.unwrap());
        assert!(!lock_tool(&access, &name).await.unwrap(), "it is locked already");
        let read = read_directory(&server.access("reader")).await.unwrap();
        assert!(tool(&read, "beta").unwrap().locked);
        assert!(unlock_tool(&access, &name).await.unwrap());
        assert!(!unlock_tool(&access, &name).await.unwrap(), "it is not locked");
        assert!(add_maintainer(&access, &name, "grace").await.unwrap());
        assert!(
            !add_maintainer(&access, &name, "grace").await.unwrap(),
            "she is one already"
        );
        let read = read_directory(&server.access("reader")).await.unwrap();
        let beta = tool(&read, "beta").unwrap();
        assert!(!beta.locked);
        assert_eq!(beta.maintainers.len(), 2);
        assert!(remove_maintainer(&access, &name, "ada").await.unwrap());
        assert!(
            !remove_maintainer(&access, &name, "ada").await.unwrap(),
            "she is none already"
        );
        let last = remove_maintainer(&access, &name, "grace").await.unwrap_err();
        assert!(last.to_string().contains("add another first"), "{last}");
        delete_tool(&access, &name).await.unwrap();
        let gone = delete_tool(&access, &"alpa".parse().unwrap()).await.unwrap_err();
        assert_eq!(
            gone.to_string(),
            "there is no tool alpa in the directory; did you mean alpha?"
        );
        let reader = lock_tool(&server.access("reader"), &"alpha".parse().unwrap()).await;
        assert!(
            matches!(reader, Err(EditError::NotAllowed { .. })),
            "{which:?}: {reader:?}"
        );
        let read = read_directory(&server.access("reader")).await.unwrap();
        assert_eq!(names(&read), ["alpha"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_created_locked_and_removed_over_ldap() {
    for which in Which::all() {
        let server = Server::start(which, &[("alpha", 50001)]).await;
        let access = server.access("admin");
        let new = |user: &str| NewUser {
            user: user.to_owned(),
            name: "Linus T".to_owned(),
        };
        let creation = Creation::below("/home");
        let created = create_user(&access, &creation, &new("linus")).await.unwrap();
        assert_eq!(created.home.to_str(), Some("/home/linus"));
        let again = create_user(&access, &creation, &new("linus")).await;
        assert!(matches!(again, Err(EditError::UserExists { .. })), "{again:?}");
        let bad = create_user(&access, &creation, &new("Linus,ou=x"))
            .await
            .unwrap_err();
        assert!(bad.to_string().contains("lower-case letters"), "{bad}");
        assert!(lock_user(&access, "linus").await.unwrap());
        let users = list_users(&access).await.unwrap();
        let linus = users.iter().find(|user| user.user == "linus").unwrap();
        assert!(linus.locked, "{which:?}");
        assert!(unlock_user(&access, "linus").await.unwrap());
        let alone = delete_user(&access, "grace").await.unwrap_err();
        assert!(alone.to_string().contains("only maintainer of alpha"), "{alone}");
        let alpha = "alpha".parse().unwrap();
        add_maintainer(&access, &alpha, "linus").await.unwrap();
        delete_user(&access, "linus").await.unwrap();
        let read = read_directory(&access).await.unwrap();
        assert!(!read.users.contains("linus"));
        assert_eq!(tool(&read, "alpha").unwrap().maintainers.len(), 1);
        let unknown = lock_user(&access, "adda").await.unwrap_err();
        assert!(unknown.to_string().contains("did you mean ada"), "{unknown}");
    }
}
