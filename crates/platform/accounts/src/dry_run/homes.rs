//! What would be written in a home: the home itself, credentials, kubeconfig, and the mark of a locked tool.
//!
//! Looks through `file_work.rs` like the service, so that a dead mount costs one account's answer. Makes nothing.

use std::path::Path;

use jiff::Timestamp;
use toolforge_pki::Certified;

use super::{
    Seen,
    plan::{Step, Verb},
};
use crate::{
    decide::{Decision, decide},
    home::Place,
    kubeconfig::{self, Access},
    mark::{self, DISABLED},
    reconcile::ReconcileError,
    snapshot::Tool,
};

/// What is in a home.
struct Found {
    exists: bool,
    certificate: Option<Certified>,
    /// Whether the kubeconfig would be written; or why it is left as it is.
    kubeconfig: Result<bool, String>,
}

impl Seen<'_> {
    /// Home, credentials and kubeconfig of an account; returns whether it gets new credentials.
    pub(super) async fn home(
        &self,
        place: Place,
        access: Access,
        name: &str,
        marker: Option<Timestamp>,
        steps: &mut Vec<Step>,
    ) -> Result<bool, ReconcileError> {
        let (path, layout) = (place.path(), place.layout);
        let found = self.files.run(&path, move |_| look(&place, &access)).await?;
        if !found.exists {
            steps.push(Step::file(Verb::Write, path.clone()).because("the home, which is not there"));
        }
        let certificate = found.certificate.as_ref();
        let decision = decide(self.now, marker, certificate, name, self.config.renew_before);
        if let Decision::Issue(why) = decision {
            let step = Step::file(Verb::Issue, path.join(layout.credentials));
            steps.push(step.because(why.words()));
        }
        let config = path.join(".kube/config");
        match found.kubeconfig {
            Ok(true) => steps.push(Step::file(Verb::Write, config)),
            Ok(false) => {}
            Err(reason) => steps.push(Step::file(Verb::Leave, config).because(reason)),
        }
        Ok(matches!(decision, Decision::Issue(_)))
    }

    /// The mark that goes from the home of a tool that is not locked.
    pub(super) async fn unmark(&self, tool: &Tool, steps: &mut Vec<Step>) -> Result<(), ReconcileError> {
        self.mark(tool, Verb::Remove, mark::is_marked, steps).await
    }

    /// The mark that a locked tool's home gets.
    pub(super) async fn put_mark(&self, tool: &Tool, steps: &mut Vec<Step>) -> Result<(), ReconcileError> {
        self.mark(tool, Verb::Write, mark::wants_mark, steps).await
    }

    async fn mark(
        &self,
        tool: &Tool,
        verb: Verb,
        question: fn(&Path, &Tool) -> Result<bool, crate::home::HomeError>,
        steps: &mut Vec<Step>,
    ) -> Result<(), ReconcileError> {
        let (root, owned) = (self.config.home_root.clone(), tool.clone());
        let work = move |_: &_| Ok(question(&root, &owned)?);
        if self.files.run(&tool.home, work).await? {
            steps.push(Step::file(verb, tool.home.join(DISABLED)));
        }
        Ok(())
    }
}

fn look(place: &Place, access: &Access) -> Result<Found, ReconcileError> {
    let Some(home) = place.existing()? else {
        return Ok(Found {
            exists: false,
            certificate: None,
            kubeconfig: kubeconfig::merge(None, access)
                .map(|new| new.is_some())
                .map_err(|error| error.to_string()),
        });
    };
    let certificate = home.certificate()?;
    Ok(Found {
        exists: true,
        certificate: certificate.and_then(|pem| toolforge_pki::read_certificate_pem(&pem).ok()),
        kubeconfig: home.wants_kubeconfig(access)?,
    })
}
