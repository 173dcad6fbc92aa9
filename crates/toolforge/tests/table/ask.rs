//! How cases are asked with `kubectl`: files in a folder for each way, and who said what about which of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use toolforge_testkit::Scratch;

use super::cases::{Case, Outcome};
use super::{AT_ONCE, RUNNING, TOOL, TOOLS_NAMESPACE, write};

/// How an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// `kubectl create`.
    Create,
    /// `kubectl replace`, of an object that is there.
    Replace,
    /// `kubectl apply --server-side`, under a name of its own.
    Apply,
    /// `kubectl patch` of a subresource.
    Patch,
}

/// Who writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who<'a> {
    Tool,
    Operator,
    /// A user that the operator impersonates.
    Other(&'a str),
}

type Answers = Vec<(usize, Answer)>;
type Job<'a> = Box<dyn FnOnce() -> Answers + Send + 'a>;

/// One question.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) file: &'static str,
    pub(crate) case: &'a Case,
    pub(crate) way: Way,
    who: Who<'a>,
    /// Whether the text goes as it is, because `kubectl` would not send it so.
    raw: bool,
}

/// What `kubectl` said.
#[derive(Clone, Debug)]
pub(crate) struct Answer(Option<String>);

impl<'a> Asked<'a> {
    /// None for what cannot be asked of an API: namespaces of which there can be none.
    pub(crate) fn new(file: &'static str, case: &'a Case, way: Way) -> Option<Self> {
        let who = match case.namespace.as_str() {
            // An operator may use every Pod security policy; for the other guards it is no matter who debugs.
            TOOLS_NAMESPACE if case.sub_resource.is_some() && case.guard != "pod" => Who::Operator,
            TOOLS_NAMESPACE if case.writer == TOOL => Who::Tool,
            TOOLS_NAMESPACE => Who::Other(&case.writer),
            namespace if can_be(namespace) => Who::Operator,
            _ => return None,
        };
        let object: Value = serde_json::from_str(&case.body).unwrap_or_default();
        let raw = case.raw || !object["metadata"]["namespace"].is_null();
        // Nothing is there in other namespaces, and text that goes as it is makes an object.
        let elsewhere = case.namespace != TOOLS_NAMESPACE;
        let fits = match way {
            Way::Create | Way::Patch => true,
            Way::Replace => !raw && !elsewhere,
            Way::Apply => !raw,
        };
        fits.then_some(Self {
            file,
            case,
            way,
            who,
            raw,
        })
    }

    /// The object; by server-side apply it is a new one whatever is there, and what is replaced is there.
    fn text(&self, nth: usize) -> String {
        let name = match self.way {
            Way::Create | Way::Patch => return self.case.body.clone(),
            Way::Replace => "web".to_owned(),
            Way::Apply => new_name(nth),
        };
        let mut object: Value = serde_json::from_str(&self.case.body).expect("JSON");
        if object["metadata"].is_object() {
            object["metadata"]["name"] = json!(name);
        }
        object.to_string()
    }

    fn url(&self) -> String {
        let Case { kind, namespace, .. } = self.case;
        let api = if kind.group.is_empty() {
            "/api".to_owned()
        } else {
            format!("/apis/{}", kind.group)
        };
        let name = kind.kind.to_lowercase();
        let plural = match name.as_str() {
            "ingress" => "ingresses",
            "endpoints" => "endpoints",
            _ => &format!("{name}s"),
        };
        format!(
            "{api}/{}/namespaces/{namespace}/{plural}?dryRun=All",
            kind.version
        )
    }
}

impl Answer {
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome {
            allowed: self.0.is_none(),
            message: self.0.clone().unwrap_or_default(),
            ..Outcome::default()
        }
    }

    /// Whether it is an answer about the object, and not about a broken platform.
    pub(crate) fn is_refusal(&self) -> bool {
        const REASONS: [&str; 7] = [
            "(Forbidden)",
            "no matches for kind",
            "(Invalid)",
            "(BadRequest)",
            "(MethodNotAllowed)",
            " is invalid:",
            "failed to create typed patch object",
        ];
        let text = self.0.as_deref().unwrap_or_default();
        REASONS.iter().any(|reason| text.contains(reason))
    }
}

/// Whether there can be a namespace of this name: RFC 1123 has labels end with a letter or a digit.
pub(crate) fn can_be(namespace: &str) -> bool {
    namespace.ends_with(|end: char| end.is_ascii_alphanumeric())
}

/// Asks all of it, and says who was answered what.
pub(crate) fn all<'a, 'b>(scratch: &Scratch, asked: &'b [Asked<'a>]) -> Vec<(&'b Asked<'a>, Answer)> {
    let mut alone = Vec::new();
    let mut folders: BTreeMap<(Way, Who<'_>, &str, usize), Vec<usize>> = BTreeMap::new();
    for (nth, one) in asked.iter().enumerate() {
        if one.raw || one.way == Way::Patch {
            alone.push(nth);
        } else {
            let place = (one.way, one.who, one.case.namespace.as_str(), nth % AT_ONCE);
            folders.entry(place).or_default().push(nth);
        }
    }
    let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (place, nths) in &folders {
        let (way, who, namespace, _) = *place;
        jobs.push(Box::new(move || {
            folder(scratch, asked, (way, who, namespace), nths)
        }));
    }
    for nth in alone {
        jobs.push(Box::new(move || vec![(nth, single(scratch, &asked[nth], nth))]));
    }
    while !jobs.is_empty() {
        let now: Vec<_> = jobs.drain(..jobs.len().min(AT_ONCE)).collect();
        std::thread::scope(|scope| {
            let running: Vec<_> = now.into_iter().map(|job| scope.spawn(job)).collect();
            for job in running {
                answers.extend(job.join().expect("kubectl was run"));
            }
        });
    }
    assert_eq!(answers.len(), asked.len());
    asked.iter().zip(answers.into_values()).collect()
}

/// Asks the files of one folder with one `kubectl`, which goes on after a refusal and names the file.
fn folder(
    scratch: &Scratch,
    asked: &[Asked<'_>],
    (way, who, namespace): (Way, Who<'_>, &str),
    nths: &[usize],
) -> Answers {
    let folder = scratch.path().join(format!("{way:?}-{}", nths[0]));
    std::fs::create_dir_all(&folder).expect("the scratch folder can be written");
    let file = |nth: usize| folder.join(format!("{nth}.json"));
    for &nth in nths {
        write(&file(nth), &asked[nth].text(nth));
    }
    // One that is always refused: of a single refusal `kubectl` does not say which file it is about.
    let bad = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "Not_A_Name"}, "spec": {"ports": 1}});
    write(&folder.join("bad.json"), &bad.to_string());
    let verb: &[&str] = match way {
        Way::Create => &["create"],
        Way::Replace => &["replace"],
        Way::Apply | Way::Patch => &["apply", "--server-side", "--force-conflicts"],
    };
    let path = folder.to_string_lossy();
    let rest = [
        "--dry-run=server",
        "--validate=ignore",
        "-n",
        namespace,
        "-f",
        &path,
    ];
    let outcome = kubectl(scratch, who, &[verb, &rest].concat());
    let let_in = outcome
        .stdout
        .lines()
        .filter(|line| line.contains("dry run"))
        .count();
    let refusals = refusals(&outcome.stderr, &folder);
    let answers: Answers = if way == Way::Apply {
        // Of what it applies it does not name the file, but it names what was let in.
        let said = |nth: usize| outcome.stdout.contains(&format!("/{} ", new_name(nth)));
        let refused = || Answer(Some(String::from("(Forbidden), as the others")));
        let answer = |nth| if said(nth) { Answer(None) } else { refused() };
        nths.iter().map(|&nth| (nth, answer(nth))).collect()
    } else {
        let answer = |nth: usize| Answer(refusals.get(&nth.to_string()).cloned());
        nths.iter().map(|&nth| (nth, answer(nth))).collect()
    };
    let passed = answers.iter().filter(|(_, answer)| answer.0.is_none()).count();
    let errors = outcome.stderr.lines().filter(|line| begins_error(line)).count();
    assert!(
        let_in == passed && errors == nths.len() - passed + 1,
        "{way:?} by {who:?} in {namespace}: kubectl says {let_in} let in and {errors} refused of {}\n{}\n{}",
        nths.len() + 1,
        outcome.stdout,
        outcome.stderr
    );
    answers
}

/// The name by which an object is a new one.
fn new_name(nth: usize) -> String {
    format!("web-{nth}")
}

/// Whether `kubectl` begins to tell an error here.
fn begins_error(line: &str) -> bool {
    [
        "Error from server",
        "error: ",
        "resource mapping not found",
        "The ",
    ]
    .iter()
    .any(|begin| line.starts_with(begin))
}

/// What was said, by the names of the files without their endings.
fn refusals(text: &str, folder: &Path) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut last = None;
    let begins = format!("{}/", folder.to_string_lossy());
    for line in text.lines().filter(|line| !line.starts_with("Warning: ")) {
        if let Some((_, rest)) = line.split_once(&begins) {
            last = rest.split_once(".json").map(|(name, _)| name.to_owned());
        }
        if let Some(name) = &last {
            let said = found.entry(name.clone()).or_default();
            said.push_str(line);
            said.push('\n');
        }
    }
    found
}

/// Asks what `kubectl` would not send as it is, and subresources.
fn single(scratch: &Scratch, asked: &Asked<'_>, nth: usize) -> Answer {
    let case = asked.case;
    let outcome = if asked.way == Way::Patch {
        let object: Value = serde_json::from_str(&case.body).expect("JSON");
        let change = json!({"spec": {"ephemeralContainers": object["spec"]["ephemeralContainers"]}});
        let sub = case.sub_resource.as_deref().unwrap_or_default();
        let patch = [
            "patch",
            "pod",
            RUNNING,
            "-n",
            TOOLS_NAMESPACE,
            "--dry-run=server",
            "--subresource",
            sub,
            "-p",
            &change.to_string(),
        ];
        kubectl(scratch, asked.who, &patch)
    } else {
        let file = scratch.path().join(format!("{:?}-{nth}.json", asked.way));
        write(&file, &asked.case.body);
        let create = ["create", "--raw", &asked.url(), "-f", &file.to_string_lossy()];
        kubectl(scratch, asked.who, &create)
    };
    Answer((outcome.code != 0).then_some(outcome.stderr))
}

fn kubectl(scratch: &Scratch, who: Who<'_>, arguments: &[&str]) -> toolforge_testkit::Outcome {
    match who {
        Who::Tool => scratch.kubectl_as(TOOL, arguments),
        Who::Operator => scratch.kubectl(arguments),
        Who::Other(user) => scratch.kubectl(&[&["--as", user], arguments].concat()),
    }
}
