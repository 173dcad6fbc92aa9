//! Macros: which calls are some, what they mean, and which names an expression leaves free.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::syntax::{Expr, Macro, MacroKind};

/// Names of types, which are values too.
pub(crate) const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// Whether a method call with so many arguments is a macro.
pub(crate) fn is_macro(name: &str, arguments: usize) -> bool {
    kind(name, arguments).is_some()
}

/// The macro, how many variables it has, and whether a condition stands before its body.
fn kind(name: &str, arguments: usize) -> Option<(MacroKind, usize, bool)> {
    Some(match (name, arguments) {
        ("all", 2 | 3) => (MacroKind::All, arguments - 1, false),
        ("exists", 2 | 3) => (MacroKind::Exists, arguments - 1, false),
        ("exists_one" | "existsOne", 2 | 3) => (MacroKind::ExistsOne, arguments - 1, false),
        ("map", 2 | 3) => (MacroKind::Map, 1, arguments == 3),
        ("filter", 2) => (MacroKind::Filter, 1, false),
        ("transformList", 3 | 4) => (MacroKind::TransformList, 2, arguments == 4),
        ("transformMap", 3 | 4) => (MacroKind::TransformMap, 2, arguments == 4),
        ("transformMapEntry", 3 | 4) => (MacroKind::TransformMapEntry, 2, arguments == 4),
        ("sortBy", 2) => (MacroKind::SortBy, 1, false),
        ("optMap", 2) => (MacroKind::OptionalMap, 1, false),
        ("optFlatMap", 2) => (MacroKind::OptionalFlatMap, 1, false),
        _ => return None,
    })
}

/// What a macro means; the error is what is wrong with its arguments.
pub(crate) fn expand(name: &str, of: Option<Expr>, mut args: Vec<Expr>) -> Result<Expr, String> {
    if name == "has" {
        return match (args.len(), args.pop()) {
            (1, Some(Expr::Select { of, field, .. })) => Ok(Expr::Select {
                of,
                field,
                test: true,
            }),
            _ => Err("invalid argument to has() macro".to_owned()),
        };
    }
    let (kind, variables, filters, range) = match of {
        Some(of) => {
            let (kind, variables, filters) =
                kind(name, args.len()).ok_or_else(|| format!("invalid use of macro {name}"))?;
            (kind, variables, filters, of)
        }
        None if args.len() == 3 => (MacroKind::Bind, 1, false, args.remove(1)),
        None => return Err("cel.bind() takes a variable, its value and an expression".to_owned()),
    };
    let mut args = args.into_iter();
    let names: Vec<Arc<str>> = args
        .by_ref()
        .take(variables)
        .map(|arg| match arg {
            Expr::Name(name) => Ok(name),
            _ => Err(format!("argument must be a simple name in {name}()")),
        })
        .collect::<Result<_, _>>()?;
    if variables == 2 && names.first() == names.get(1) {
        return Err(format!("the two variables of {name}() must differ"));
    }
    let filter = if filters { args.next() } else { None };
    let body = args
        .next()
        .ok_or_else(|| format!("invalid use of macro {name}"))?;
    Ok(Expr::Macro(Box::new(Macro {
        kind,
        range,
        names,
        filter,
        body,
    })))
}

/// Collects the names that nothing in the expression binds.
pub(crate) fn free_names(expr: &Expr, bound: &mut Vec<Arc<str>>, found: &mut BTreeSet<Arc<str>>) {
    match expr {
        Expr::Literal(_) => {}
        Expr::Name(name) => {
            if !bound.contains(name) && !TYPES.contains(&&**name) {
                found.insert(name.clone());
            }
        }
        Expr::Select { of, .. } | Expr::OptionalSelect { of, .. } | Expr::Not(of) | Expr::Negate(of) => {
            free_names(of, bound, found);
        }
        Expr::Index { of, key, .. } => {
            free_names(of, bound, found);
            free_names(key, bound, found);
        }
        Expr::Call { target, args, .. } => {
            for part in target.as_deref().into_iter().chain(args) {
                free_names(part, bound, found);
            }
        }
        Expr::Chain { first, rest } => {
            free_names(first, bound, found);
            for (_, side) in rest {
                free_names(side, bound, found);
            }
        }
        Expr::And(sides) | Expr::Or(sides) => {
            for side in sides {
                free_names(side, bound, found);
            }
        }
        Expr::Conditional { test, yes, no } => {
            for part in [test, yes, no] {
                free_names(part, bound, found);
            }
        }
        Expr::List(items) => {
            for (item, _) in items {
                free_names(item, bound, found);
            }
        }
        Expr::Map(entries) => {
            for (key, value, _) in entries {
                free_names(key, bound, found);
                free_names(value, bound, found);
            }
        }
        Expr::Macro(walk) => {
            free_names(&walk.range, bound, found);
            let before = bound.len();
            bound.extend(walk.names.iter().cloned());
            walk.filter
                .iter()
                .for_each(|filter| free_names(filter, bound, found));
            free_names(&walk.body, bound, found);
            bound.truncate(before);
        }
    }
}
