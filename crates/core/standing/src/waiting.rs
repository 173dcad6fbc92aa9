//! What a container waits for that does not run yet.

/// Words of registries that have no such image, or not for us; trying again does not help.
const FINAL: [&str; 5] = [
    "not found",
    "manifest unknown",
    "denied",
    "unauthorized",
    "does not exist",
];

/// What a container waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// For an image that will not come.
    NoImage,
    /// For an image that did not come, and may.
    ImageRefused,
    /// For the next try after tries for its image that failed.
    ImageBackOff,
    /// It cannot be made from what it names: a Secret, a folder, a program.
    Unstartable,
    /// For the next start of a program that ends again and again.
    CrashLoop,
    /// It is being made.
    Creating,
    /// Something else.
    Other,
}

impl Waiting {
    /// From a container's `waiting` state: its reason and its message.
    pub fn of(reason: &str, message: &str) -> Self {
        match reason {
            "InvalidImageName" | "ErrImageNeverPull" => Self::NoImage,
            "ErrImagePull" if FINAL.iter().any(|words| message.contains(words)) => Self::NoImage,
            "ErrImagePull" => Self::ImageRefused,
            "ImagePullBackOff" => Self::ImageBackOff,
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Self::Unstartable,
            "CrashLoopBackOff" => Self::CrashLoop,
            "ContainerCreating" | "PodInitializing" => Self::Creating,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Waiting;

    #[test]
    fn a_refusal_of_a_registry_is_final_when_it_says_so() {
        for (reason, message, waiting) in [
            ("InvalidImageName", "", Waiting::NoImage),
            ("ErrImagePull", "manifest unknown", Waiting::NoImage),
            ("ErrImagePull", "i/o timeout", Waiting::ImageRefused),
            ("ImagePullBackOff", "not found", Waiting::ImageBackOff),
            ("CreateContainerConfigError", "no secret x", Waiting::Unstartable),
            ("CrashLoopBackOff", "", Waiting::CrashLoop),
            ("PodInitializing", "", Waiting::Creating),
            ("", "", Waiting::Other),
        ] {
            assert_eq!(Waiting::of(reason, message), waiting, "{reason} {message}");
        }
    }
}
