//! How the command ends, for scripts: one exit code for each kind of cause.

use toolforge_standing::Refusal;

/// Why a command did not do what was asked, as an exit code and as a word of the JSON answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The fault is in the tool's own files, program or state.
    Tool = 1,
    /// The command line means nothing.
    Usage = 2,
    /// The tool's quota, or a limit of what one container may have.
    Quota = 3,
    /// The platform's guards do not let it in.
    Admission = 4,
    /// Its image cannot be had.
    Image = 5,
    /// It runs, and nothing listens on its port.
    NotListening = 6,
    /// It listens, and its health check fails.
    HealthCheck = 7,
    /// All is ready, and the URL does not answer.
    Url = 8,
    /// The API cannot be reached, or does not accept the credentials.
    Api = 9,
    /// No place to run, or no time left to wait.
    Time = 10,
    /// Ctrl-C; what shells say of a program that ended so.
    Interrupted = 130,
}

impl Exit {
    /// What the process ends with.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// Of what the API answered to a request.
    pub(crate) fn of_answer(status: u16, message: &str) -> Self {
        match status {
            400 | 404 | 409 | 410 | 422 => Self::of_refusal(message).unwrap_or(Self::Tool),
            403 => Self::of_refusal(message).unwrap_or(Self::Admission),
            // Also 401, and what servers in trouble say.
            _ => Self::of_refusal(message).unwrap_or(Self::Api),
        }
    }

    /// Of a refusal in the words of Kubernetes.
    pub(crate) fn of_refusal(message: &str) -> Option<Self> {
        Refusal::of(message).map(|refusal| match refusal {
            Refusal::Quota => Self::Quota,
            Refusal::Guard => Self::Admission,
            Refusal::Api => Self::Api,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        for (status, message, exit) in [
            (
                403,
                "pods \"a\" is forbidden: exceeded quota: tool-a, requested: limits.cpu=9",
                Exit::Quota,
            ),
            (
                403,
                "pods \"a\" is forbidden: maximum memory usage per Container is 4Gi, but limit is 8Gi",
                Exit::Quota,
            ),
            (
                403,
                "admission webhook \"ingress.toolforge.org\" denied the request: exceeded quota of jokes",
                Exit::Admission,
            ),
            (
                400,
                "admission webhook \"registry.toolforge.org\" denied the request: no",
                Exit::Admission,
            ),
            (
                403,
                "pods \"a\" is forbidden: unable to validate against any pod security policy: []",
                Exit::Admission,
            ),
            (
                403,
                "services is forbidden: User \"a\" cannot list resource \"services\" in API group \"\"",
                Exit::Api,
            ),
            (
                500,
                "Internal error occurred: failed calling webhook \"x\": connection refused",
                Exit::Api,
            ),
            (401, "Unauthorized", Exit::Api),
            (
                503,
                "the server is currently unable to handle the request",
                Exit::Api,
            ),
            (422, "Deployment.apps \"a\" is invalid: spec.replicas", Exit::Tool),
            (409, "the object has been modified", Exit::Tool),
        ] {
            assert_eq!(Exit::of_answer(status, message), exit, "{status} {message}");
        }
    }
}
