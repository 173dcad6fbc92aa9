//! Paths that are patterns, and what is made of their groups: rewrites and redirects.

use std::{borrow::Cow, collections::BTreeMap};

use super::{AskedPath, Place, Problem, ProblemKind, has_patterns, reader::Reader};
use crate::{Pattern, Redirect, Template, Variable, redirect};

/// How many paths of an Ingress may be patterns: each takes memory, and time of every request to its host.
const MOST_PATTERNS: usize = 32;

impl Reader<'_> {
    pub(super) fn patterns(&mut self) -> BTreeMap<String, Pattern> {
        let mut patterns = BTreeMap::new();
        self.boolean("use-regex");
        if !has_patterns(&self.source.annotations) {
            return patterns;
        }
        for path in &self.source.paths {
            if !path.may_be_pattern {
                if path.path.contains(['(', ')', '*', '|', '[', '$', '\\', '^', '{']) {
                    let why = "Only paths of type ImplementationSpecific are patterns";
                    self.bad_path(path, why.into(), "write pathType: ImplementationSpecific");
                }
                continue;
            }
            if patterns.len() == MOST_PATTERNS && !patterns.contains_key(path.path) {
                let why = format!("An Ingress has {MOST_PATTERNS} patterns at most");
                self.bad_path(path, why.into(), "write fewer, or paths of type Prefix");
                break;
            }
            // Kubernetes lets the path be left out, for all of them.
            let text = if path.path.is_empty() { "/" } else { path.path };
            match Pattern::new(text) {
                Ok(pattern) => {
                    patterns.insert(path.path.to_owned(), pattern);
                }
                Err(error) => {
                    let why = format!("A path of type ImplementationSpecific {error}");
                    self.bad_path(
                        path,
                        why.into(),
                        "write it like \"/something(/|$)(.*)\", or pathType: Prefix",
                    );
                }
            }
        }
        patterns
    }

    pub(super) fn bad_path(&mut self, path: &AskedPath<'_>, why: Cow<'static, str>, instead: &'static str) {
        self.problems.push(Problem {
            kind: ProblemKind::Pattern,
            place: Place::Path {
                rule: path.rule,
                index: path.index,
            },
            value: Some(path.path.to_owned()),
            why,
            instead: instead.into(),
        });
    }

    /// Whether a template names no group that one of the paths lacks.
    pub(super) fn has_groups(&mut self, name: &str, template: &Template, groups: Option<usize>) -> bool {
        let (named, paths) = (template.highest_group(), &self.source.paths);
        let all_patterns = paths.iter().all(|path| path.may_be_pattern);
        let there = groups.filter(|_| all_patterns).unwrap_or(0);
        let names_groups = template.variables().any(|v| matches!(v, Variable::Group(_)));
        if names_groups && (named > there || there == 0 && !all_patterns) {
            let must = format!("names the group ${named}, which not every path of the Ingress has");
            let instead = "write all paths with pathType: ImplementationSpecific and such groups, like \"/something(/|$)(.*)\"";
            self.wrong(name, &must, instead);
            return false;
        }
        true
    }

    pub(super) fn rewrite(&mut self, groups: Option<usize>) -> Option<Template> {
        let name = "rewrite-target";
        let template = self.value(
            name,
            "must be a path of letters, digits and -._~/: in which groups of the path's pattern may stand",
            "/$2",
            |text| {
                let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:$".contains(&b);
                let is_path = text.starts_with(['/', '$']) && text.bytes().all(is_plain);
                let is_group = |variable: &Variable| matches!(variable, Variable::Group(_));
                Template::parse(text, is_group).ok().filter(|_| is_path)
            },
        )?;
        self.has_groups(name, &template, groups).then_some(template)
    }

    pub(super) fn redirect(&mut self, groups: Option<usize>) -> Option<Redirect> {
        let must =
            "must be an absolute URL of https or http, in which $host, $request_uri and the like may stand";
        let (status_must, code) = ("must be 301, 302, 303, 307 or 308", "308");
        for (name, code_name, usual) in [
            ("temporal-redirect", "temporal-redirect-code", 302),
            ("permanent-redirect", "permanent-redirect-code", 301),
        ] {
            let status = self.value(code_name, status_must, code, redirect::status);
            if self.text(name).is_none() {
                self.needs(&[code_name], name);
                continue;
            }
            let to = self.value(name, must, "https://example.org$request_uri", |text| {
                redirect::target(text, redirect::is_of_redirect)
            })?;
            if name == "temporal-redirect" {
                self.needs_not("permanent-redirect", name);
            }
            return self.has_groups(name, &to, groups).then_some(Redirect {
                status: status.unwrap_or(usual),
                to,
            });
        }
        None
    }
}
