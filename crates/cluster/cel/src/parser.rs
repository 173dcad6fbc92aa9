//! From tokens to the tree of an expression, by recursive descent. Bounded in length and depth.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::functions;
use crate::macros;
use crate::program::CompileError;
use crate::syntax::{Expr, Operator};
use crate::token::{Kind, Token, tokens};
use crate::value::Value;

/// Bytes of an expression at most; rules of custom resources are far shorter.
const SOURCE_BYTES: usize = 64 << 10;
/// Brackets within brackets at most: bounds the stack of the parser.
const NESTING: usize = 40;
/// Depth of the tree at most: bounds the stack of an evaluation.
const DEPTH: usize = 100;

/// Names that the grammar keeps for itself.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

/// Operators by precedence, loosest first; each level is evaluated from left to right.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::LessEqual),
        (">=", Operator::GreaterEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("%", Operator::Remainder),
    ],
];

/// A tree, and how deep it is.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) expr: Expr,
    depth: usize,
}

/// The tree of an expression, and the variables that it reads.
pub(crate) fn parse(source: &str) -> Result<(Expr, BTreeSet<Arc<str>>), CompileError> {
    if source.len() > SOURCE_BYTES {
        return Err(CompileError::TooLong {
            limit_bytes: SOURCE_BYTES,
        });
    }
    let tokens = tokens(source).map_err(|(at, problem)| syntax_error(source, at, problem))?;
    let mut parser = Parser {
        source,
        tokens,
        at: 0,
        nesting: 0,
    };
    let root = parser.expression()?;
    if *parser.peek() != Kind::End {
        return Err(parser.unexpected("<EOF>"));
    }
    let mut variables = BTreeSet::new();
    macros::free_names(&root.expr, &mut Vec::new(), &mut variables);
    Ok((root.expr, variables))
}

fn place(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..at.min(source.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

fn syntax_error(source: &str, at: usize, problem: String) -> CompileError {
    let (line, column) = place(source, at);
    CompileError::Syntax {
        line,
        column,
        problem,
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
}

type Parsed = Result<Node, CompileError>;

impl Parser<'_> {
    fn peek(&self) -> &Kind {
        self.tokens.get(self.at).map_or(&Kind::End, |token| &token.kind)
    }

    fn place(&self) -> usize {
        self.tokens
            .get(self.at)
            .map_or(self.source.len(), |token| token.at)
    }

    fn next(&mut self) -> Kind {
        let kind = self.peek().clone();
        self.at += 1;
        kind
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Kind::Sign(found) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), CompileError> {
        if self.takes(sign) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("'{sign}'")))
        }
    }

    fn unexpected(&self, expected: &str) -> CompileError {
        let found = match self.peek() {
            Kind::End => "<EOF>".to_owned(),
            Kind::Sign(sign) => format!("'{sign}'"),
            Kind::Name(name) => format!("'{name}'"),
            _ => "a literal".to_owned(),
        };
        self.error(format!("mismatched input {found} expecting {expected}"))
    }

    fn error(&self, problem: String) -> CompileError {
        syntax_error(self.source, self.place(), problem)
    }

    fn expression(&mut self) -> Parsed {
        if self.nesting == NESTING {
            return Err(CompileError::TooDeep);
        }
        self.nesting += 1;
        let test = self.either()?;
        let found = if self.takes("?") {
            let yes = self.either()?;
            self.expect(":")?;
            let no = self.expression()?;
            let depth = test.depth.max(yes.depth).max(no.depth);
            node(
                Expr::Conditional {
                    test: Box::new(test.expr),
                    yes: Box::new(yes.expr),
                    no: Box::new(no.expr),
                },
                depth,
            )
        } else {
            Ok(test)
        };
        self.nesting -= 1;
        found
    }

    fn either(&mut self) -> Parsed {
        self.logical("||", Self::both, Expr::Or)
    }

    fn both(&mut self) -> Parsed {
        self.logical("&&", |parser| parser.level(0), Expr::And)
    }

    fn logical(&mut self, sign: &str, below: fn(&mut Self) -> Parsed, join: fn(Vec<Expr>) -> Expr) -> Parsed {
        let first = below(self)?;
        if !matches!(self.peek(), Kind::Sign(found) if *found == sign) {
            return Ok(first);
        }
        let mut depth = first.depth;
        let mut sides = vec![first.expr];
        while self.takes(sign) {
            let side = below(self)?;
            depth = depth.max(side.depth);
            sides.push(side.expr);
        }
        node(join(sides), depth)
    }

    fn operator(&mut self, level: usize) -> Option<Operator> {
        let found = match self.peek() {
            Kind::Sign(sign) => LEVELS[level]
                .iter()
                .find(|(text, _)| text == sign)
                .map(|(_, operator)| *operator),
            Kind::Name(name) if level == 0 && &**name == "in" => Some(Operator::In),
            _ => None,
        };
        self.at += usize::from(found.is_some());
        found
    }

    fn level(&mut self, level: usize) -> Parsed {
        if level == LEVELS.len() {
            return self.unary();
        }
        let first = self.level(level + 1)?;
        let mut depth = first.depth;
        let mut rest = Vec::new();
        while let Some(operator) = self.operator(level) {
            let side = self.level(level + 1)?;
            depth = depth.max(side.depth);
            rest.push((operator, side.expr));
        }
        if rest.is_empty() {
            return Ok(Node {
                expr: first.expr,
                depth,
            });
        }
        node(
            Expr::Chain {
                first: Box::new(first.expr),
                rest,
            },
            depth,
        )
    }

    fn unary(&mut self) -> Parsed {
        if self.takes("!") {
            let mut odd = true;
            while self.takes("!") {
                odd = !odd;
            }
            let of = self.member()?;
            let depth = of.depth;
            let inner = if odd {
                of.expr
            } else {
                Expr::Not(Box::new(of.expr))
            };
            return node(Expr::Not(Box::new(inner)), depth);
        }
        if !self.takes("-") {
            return self.member();
        }
        let mut odd = true;
        while self.takes("-") {
            odd = !odd;
        }
        if odd && *self.peek() == Kind::IntEdge {
            self.at += 1;
            return self.tail(Expr::Literal(Value::Int(i64::MIN)), 0);
        }
        let of = self.member()?;
        let depth = of.depth;
        let inner = if odd {
            of.expr
        } else {
            Expr::Negate(Box::new(of.expr))
        };
        node(Expr::Negate(Box::new(inner)), depth)
    }

    fn member(&mut self) -> Parsed {
        let first = self.primary()?;
        self.tail(first.expr, first.depth)
    }

    /// What follows a value: fields, keys, methods.
    fn tail(&mut self, mut expr: Expr, mut depth: usize) -> Parsed {
        loop {
            let next = if self.takes(".") {
                self.field(expr, depth)?
            } else if self.takes("[") {
                let optional = self.takes("?");
                let key = self.expression()?;
                self.expect("]")?;
                let depth = depth.max(key.depth);
                let (of, key) = (Box::new(expr), Box::new(key.expr));
                node(Expr::Index { of, key, optional }, depth)?
            } else {
                return Ok(Node { expr, depth });
            };
            (expr, depth) = (next.expr, next.depth);
        }
    }

    fn field(&mut self, of: Expr, depth: usize) -> Parsed {
        let optional = self.takes("?");
        let at = self.place();
        let Kind::Name(name) = self.next() else {
            self.at -= 1;
            return Err(self.unexpected("IDENTIFIER"));
        };
        if optional {
            return node(
                Expr::OptionalSelect {
                    of: Box::new(of),
                    field: name,
                },
                depth,
            );
        }
        if !self.takes("(") {
            return node(
                Expr::Select {
                    of: Box::new(of),
                    field: name,
                    test: false,
                },
                depth,
            );
        }
        let (args, below) = self.arguments(")")?;
        let depth = depth.max(below);
        if let Expr::Name(space) = &of {
            let qualified = format!("{space}.{name}");
            if qualified == "cel.bind" {
                return node(self.expand(at, "cel.bind", None, args)?, depth);
            }
            if functions::is_function(&qualified) {
                return node(
                    Expr::Call {
                        name: qualified.into(),
                        target: None,
                        args,
                    },
                    depth,
                );
            }
        }
        if macros::is_macro(&name, args.len()) {
            return node(self.expand(at, &name, Some(of), args)?, depth);
        }
        if !functions::is_method(&name) {
            return Err(self.undeclared(at, &name));
        }
        node(
            Expr::Call {
                name,
                target: Some(Box::new(of)),
                args,
            },
            depth,
        )
    }

    fn expand(&self, at: usize, name: &str, of: Option<Expr>, args: Vec<Expr>) -> Result<Expr, CompileError> {
        macros::expand(name, of, args).map_err(|problem| syntax_error(self.source, at, problem))
    }

    fn undeclared(&self, at: usize, name: &str) -> CompileError {
        let (line, column) = place(self.source, at);
        CompileError::Undeclared {
            line,
            column,
            name: name.to_owned(),
        }
    }

    fn arguments(&mut self, end: &str) -> Result<(Vec<Expr>, usize), CompileError> {
        let mut depth = 0;
        let mut args = Vec::new();
        while !self.takes(end) {
            if !args.is_empty() {
                self.expect(",")?;
            }
            let arg = self.expression()?;
            depth = depth.max(arg.depth);
            args.push(arg.expr);
        }
        Ok((args, depth))
    }

    fn primary(&mut self) -> Parsed {
        self.takes(".");
        let at = self.place();
        let literal = match self.next() {
            Kind::Int(number) => Value::Int(number),
            Kind::Uint(number) => Value::Uint(number),
            Kind::Double(number) => Value::Double(number),
            Kind::Text(text) => Value::Text(text),
            Kind::Bytes(bytes) => Value::Bytes(bytes),
            Kind::Name(name) => return self.name(at, name),
            Kind::Sign("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Kind::Sign("[") => return self.list(),
            Kind::Sign("{") => return self.map(),
            Kind::IntEdge => return Err(syntax_error(self.source, at, "invalid int literal".to_owned())),
            Kind::Sign(_) | Kind::End => {
                self.at -= 1;
                return Err(self.unexpected("an expression"));
            }
        };
        node(Expr::Literal(literal), 0)
    }

    fn name(&mut self, at: usize, name: Arc<str>) -> Parsed {
        let literal = match &*name {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            _ => None,
        };
        if let Some(literal) = literal {
            return node(Expr::Literal(literal), 0);
        }
        if RESERVED.contains(&&*name) {
            return Err(syntax_error(
                self.source,
                at,
                format!("reserved identifier: {name}"),
            ));
        }
        if matches!(self.peek(), Kind::Sign("{")) {
            let problem = format!("undeclared reference to '{name}': there are no message types here");
            return Err(syntax_error(self.source, at, problem));
        }
        if !self.takes("(") {
            return node(Expr::Name(name), 0);
        }
        let (args, depth) = self.arguments(")")?;
        if &*name == "has" {
            return node(self.expand(at, "has", None, args)?, depth);
        }
        if !functions::is_function(&name) {
            return Err(self.undeclared(at, &name));
        }
        node(
            Expr::Call {
                name,
                target: None,
                args,
            },
            depth,
        )
    }

    fn list(&mut self) -> Parsed {
        let mut depth = 0;
        let mut items = Vec::new();
        while !self.takes("]") {
            if !items.is_empty() {
                self.expect(",")?;
                if self.takes("]") {
                    break;
                }
            }
            let optional = self.takes("?");
            let item = self.expression()?;
            depth = depth.max(item.depth);
            items.push((item.expr, optional));
        }
        node(Expr::List(items), depth)
    }

    fn map(&mut self) -> Parsed {
        let mut depth = 0;
        let mut entries = Vec::new();
        while !self.takes("}") {
            if !entries.is_empty() {
                self.expect(",")?;
                if self.takes("}") {
                    break;
                }
            }
            let optional = self.takes("?");
            let key = self.expression()?;
            self.expect(":")?;
            let value = self.expression()?;
            depth = depth.max(key.depth).max(value.depth);
            entries.push((key.expr, value.expr, optional));
        }
        node(Expr::Map(entries), depth)
    }
}

fn node(expr: Expr, below: usize) -> Parsed {
    if below == DEPTH {
        return Err(CompileError::TooDeep);
    }
    Ok(Node {
        expr,
        depth: below + 1,
    })
}
