//! Tools that claim what another has: the same user id, the same home, or a home inside another's.
//!
//! Pure. Who had it first keeps it, and who first had it is whose namespace says so; where nobody has it yet, nobody gets
//! it until the directory is corrected. So a mistake in a new entry never breaks an old tool.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use toolforge_model::ToolName;

use crate::snapshot::{Tool, Unusable};

/// The tools that may not have what they claim, each with the reason. `has` says whether a tool has it already.
pub(crate) fn clashes(
    tools: &BTreeMap<ToolName, Result<Tool, Unusable>>,
    has: impl Fn(&Tool) -> bool,
) -> BTreeMap<ToolName, String> {
    let usable = || tools.values().filter_map(|tool| tool.as_ref().ok());
    let mut by_uid: HashMap<u32, Vec<&Tool>> = HashMap::new();
    // Not in their order: to compare paths is dear, and each is asked for with all that it lies in.
    let mut by_home: HashMap<&Path, Vec<&Tool>> = HashMap::new();
    for tool in usable() {
        by_uid.entry(tool.uid).or_default().push(tool);
        by_home.entry(&tool.home).or_default().push(tool);
    }
    let mut refused = BTreeMap::new();
    for tool in usable() {
        let same_uid = other(by_uid.get(&tool.uid), tool);
        let same_home = other(by_home.get(tool.home.as_path()), tool);
        let around = tool
            .home
            .ancestors()
            .skip(1)
            .find_map(|home| other(by_home.get(home), tool));
        let reason = match (same_uid, same_home, around) {
            (Some(other), ..) => format!("uidNumber {} is also that of tool {other}", tool.uid),
            (_, Some(other), _) => {
                format!("homeDirectory {} is also that of tool {other}", shown(&tool.home))
            }
            (.., Some(other)) => format!("homeDirectory {} lies in that of tool {other}", shown(&tool.home)),
            _ => continue,
        };
        if !has(tool) {
            refused.insert(
                tool.name.clone(),
                format!("{reason}; correct one of the two in the directory"),
            );
        }
    }
    refused
}

fn other<'a>(claimants: Option<&Vec<&'a Tool>>, tool: &Tool) -> Option<&'a ToolName> {
    let mut claimants = claimants?.iter();
    claimants
        .find(|claimant| claimant.name != tool.name)
        .map(|claimant| &claimant.name)
}

fn shown(home: &Path) -> String {
    PathBuf::from(home).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(claims: &[(&str, u32, &str)]) -> BTreeMap<ToolName, Result<Tool, Unusable>> {
        claims
            .iter()
            .map(|(name, uid, home)| {
                let name: ToolName = name.parse().unwrap();
                let tool = Tool {
                    name: name.clone(),
                    uid: *uid,
                    home: home.into(),
                    maintainers: vec![],
                    locked: false,
                };
                (name, Ok(tool))
            })
            .collect()
    }

    fn refused(claims: &[(&str, u32, &str)], first: &[&str]) -> Vec<(String, String)> {
        clashes(&tools(claims), |tool| first.contains(&tool.name.as_str()))
            .into_iter()
            .map(|(name, reason)| (name.to_string(), reason))
            .collect()
    }

    #[test]
    fn who_has_it_keeps_it_and_who_claims_it_later_is_refused() {
        let claims = [
            ("alpha", 1, "/h/alpha"),
            ("beta", 1, "/h/beta"),
            ("gamma", 3, "/h/gamma"),
        ];
        let found = refused(&claims, &["alpha", "gamma"]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].0 == "beta" && found[0].1.contains("uidNumber 1 is also that of tool alpha"),
            "{found:?}"
        );
    }

    #[test]
    fn where_nobody_has_it_nobody_gets_it() {
        let found = refused(&[("alpha", 1, "/h/a"), ("beta", 2, "/h/a")], &[]);
        assert_eq!(found.len(), 2);
        assert!(
            found[0]
                .1
                .contains("homeDirectory /h/a is also that of tool beta"),
            "{found:?}"
        );
    }

    #[test]
    fn a_home_in_anothers_home_is_refused_and_one_beside_it_is_not() {
        let claims = [
            ("alpha", 1, "/h/alpha"),
            ("beta", 2, "/h/alpha/beta"),
            ("gamma", 3, "/h/alphabet"),
        ];
        let found = refused(&claims, &["alpha"]);
        assert_eq!(
            found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["beta"]
        );
        assert!(refused(&claims, &["alpha", "beta"]).is_empty(), "old ones go on");
    }
}
