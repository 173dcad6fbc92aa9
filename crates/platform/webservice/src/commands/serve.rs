//! The end of every action that brings a webservice up: follow it until it serves, and say so.

use crate::{
    cli::FollowArgs,
    error::WebserviceError,
    follow::{self, Following},
    platform::Platform,
    session::Session,
    url_check::UrlCheck,
};

/// What is being done to which type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing<'a> {
    /// `Starting webservice`, in the words that scripts know.
    pub(super) words: &'static str,
    pub(super) type_name: &'a str,
}

/// Follows a webservice until it serves, and says so; or only says where it will be.
pub(super) async fn serve(
    session: &Session,
    platform: &Platform,
    doing: Doing<'_>,
    arguments: FollowArgs,
) -> Result<(), WebserviceError> {
    let Doing { words, type_name } = doing;
    let check = UrlCheck::new(platform, &session.tool)?;
    if arguments.no_wait {
        anstream::println!("{words}...");
        anstream::println!("Your webservice of type {type_name} will be at {}", check.url());
        return Ok(());
    }
    let following = Following {
        doing: words,
        patience: arguments.patience(),
    };
    let status = Box::pin(follow::until_it_serves(session, &check, following)).await?;
    anstream::println!(
        "Your webservice of type {type_name} is running at {}",
        check.url()
    );
    if status == reqwest::StatusCode::NOT_FOUND {
        anstream::eprintln!(
            "It answers with {status}: it has nothing for the path /, such as an index.html."
        );
    } else if status.is_client_error() || status.is_server_error() {
        anstream::eprintln!("It answers with {status}; `webservice logs` shows what it printed.");
    }
    Ok(())
}
