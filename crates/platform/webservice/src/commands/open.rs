//! `webservice open`: where the tool is served.

use crate::{error::WebserviceError, platform::Platform, session::Session};

pub(super) async fn run(session: &Session) -> Result<(), WebserviceError> {
    let platform = Platform::read(&session.client).await?;
    anstream::println!("{}", platform.url_of(&session.tool));
    Ok(())
}
