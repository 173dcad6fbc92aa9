//! A compiled expression: what callers hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::evaluate::Evaluation;
use crate::parser::parse;
use crate::syntax::Expr;
use crate::value::Value;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Longer than an expression may be.
    #[error("the expression has more than {limit_bytes} bytes")]
    TooLong {
        /// Bytes that an expression may have.
        limit_bytes: usize,
    },
    /// More nesting than an expression may have.
    #[error("the expression is nested too deeply")]
    TooDeep,
    /// The text does not follow the grammar.
    #[error("ERROR: <input>:{line}:{column}: Syntax error: {problem}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        problem: String,
    },
    /// A function or macro that is not known, or not with so many arguments.
    #[error("ERROR: <input>:{line}:{column}: undeclared reference to '{name}' (in container '')")]
    Undeclared {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is not known.
        name: String,
    },
}

/// Why an evaluation has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// The expression would be too much work.
    #[error("operation cancelled: actual cost limit exceeded")]
    Exhausted,
    /// A field or key that is not there.
    #[error("no such key: {0}")]
    NoSuchKey(String),
    /// A name that no variable has.
    #[error("no such attribute(s): {0}")]
    NoSuchVariable(String),
    /// A function or operator on values that it does not take.
    #[error("no such overload: {0}")]
    NoSuchOverload(String),
    /// A function or operator that does not get along with these values.
    #[error("{0}")]
    Failed(String),
}

/// A compiled expression. Can be shared and evaluated any number of times.
#[derive(Debug)]
pub struct Program {
    root: Expr,
    variables: BTreeSet<Arc<str>>,
}

impl Program {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When it does not follow the grammar, names a function that is not known, or is too large.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        let (root, variables) = parse(source)?;
        Ok(Self { root, variables })
    }

    /// The variables that the expression reads, by name.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|name| &**name)
    }

    /// Evaluates the expression with JSON values as its variables.
    ///
    /// # Errors
    /// See [`EvaluateError`]; also when the result has no form in JSON.
    pub fn evaluate(
        &self,
        variables: &[(&str, &serde_json::Value)],
    ) -> Result<serde_json::Value, EvaluateError> {
        let values: Vec<(&str, Value)> = variables
            .iter()
            .filter(|(name, _)| self.variables.contains(*name))
            .map(|(name, json)| (*name, Value::from_json(json)))
            .collect();
        let found = self.evaluate_values(&values)?;
        found.to_json().ok_or_else(|| {
            EvaluateError::Failed(format!("a value of type {} has no JSON", found.type_name()))
        })
    }

    /// Evaluates the expression with values that know their types better than JSON can tell.
    ///
    /// # Errors
    /// See [`EvaluateError`].
    pub fn evaluate_values(&self, variables: &[(&str, Value)]) -> Result<Value, EvaluateError> {
        Evaluation::with(variables).value(&self.root)
    }
}

#[cfg(test)]
mod tests;
