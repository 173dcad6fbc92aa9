//! The tree of an expression, macros expanded to what they mean.

use std::sync::Arc;

use crate::value::Value;

/// A node.
#[derive(Debug)]
pub(crate) enum Expr {
    Literal(Value),
    Name(Arc<str>),
    /// `of.field`; as a test (`has(of.field)`) whether it is there.
    Select {
        of: Box<Expr>,
        field: Arc<str>,
        test: bool,
    },
    /// `of.?field`.
    OptionalSelect {
        of: Box<Expr>,
        field: Arc<str>,
    },
    /// `of[key]`, or `of[?key]`.
    Index {
        of: Box<Expr>,
        key: Box<Expr>,
        optional: bool,
    },
    /// A function, or a method of a target.
    Call {
        name: Arc<str>,
        target: Option<Box<Expr>>,
        args: Vec<Expr>,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// Operands of one level of precedence, from left to right.
    Chain {
        first: Box<Expr>,
        rest: Vec<(Operator, Expr)>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Conditional {
        test: Box<Expr>,
        yes: Box<Expr>,
        no: Box<Expr>,
    },
    /// Items, each perhaps optional.
    List(Vec<(Expr, bool)>),
    /// Keys and values, each perhaps optional.
    Map(Vec<(Expr, Expr, bool)>),
    Macro(Box<Macro>),
}

/// An operator with two sides that evaluates both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

/// A walk over a list or map, or a binding.
#[derive(Debug)]
pub(crate) struct Macro {
    pub(crate) kind: MacroKind,
    pub(crate) range: Expr,
    /// The variable, or index and value, or key and value.
    pub(crate) names: Vec<Arc<str>>,
    /// A condition where the macro has one besides its body.
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Expr,
}

/// What a macro makes of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
    TransformList,
    TransformMap,
    TransformMapEntry,
    SortBy,
    /// `cel.bind(name, range, body)`.
    Bind,
    /// `optional.optMap(name, body)`.
    OptionalMap,
    /// `optional.optFlatMap(name, body)`.
    OptionalFlatMap,
}
