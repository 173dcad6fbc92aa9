//! From source text to tokens.

use std::sync::Arc;

/// A token, and where it begins in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Int(i64),
    /// 2^63, which is an integer only behind a minus.
    IntEdge,
    Uint(u64),
    Double(f64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    Name(Arc<str>),
    /// An operator or bracket.
    Sign(&'static str),
    End,
}

/// Signs, longer ones first.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}",
];

/// Reads all tokens; the error is what is wrong and where.
pub(crate) fn tokens(source: &str) -> Result<Vec<Token>, (usize, String)> {
    let mut reader = Reader { source, at: 0 };
    let mut found = Vec::new();
    loop {
        reader.skip_blanks();
        let at = reader.at;
        let kind = reader.token().map_err(|problem| (at, problem))?;
        let done = kind == Kind::End;
        found.push(Token { at, kind });
        if done {
            return Ok(found);
        }
    }
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &str {
        let start = self.at;
        let length = self
            .rest()
            .find(|character| !wanted(character))
            .unwrap_or(self.rest().len());
        self.at += length;
        &self.source[start..self.at]
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(|character| matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|character| character != '\n');
        }
    }

    fn token(&mut self) -> Result<Kind, String> {
        let Some(first) = self.peek() else {
            return Ok(Kind::End);
        };
        let second = self.rest().chars().nth(1);
        if first.is_ascii_digit() || (first == '.' && second.is_some_and(|next| next.is_ascii_digit())) {
            return self.number();
        }
        if let Some((raw, bytes, prefix)) = self.literal_prefix() {
            self.at += prefix;
            return self.literal(raw, bytes);
        }
        if first == '_' || first.is_ascii_alphabetic() {
            let name = self.take_while(|character| character == '_' || character.is_ascii_alphanumeric());
            return Ok(Kind::Name(name.into()));
        }
        if first == '`' {
            return self.quoted_name();
        }
        match SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) {
            Some(sign) => {
                self.at += sign.len();
                Ok(Kind::Sign(sign))
            }
            None => Err(format!("token recognition error at: '{first}'")),
        }
    }

    /// A field name between back quotes.
    fn quoted_name(&mut self) -> Result<Kind, String> {
        self.at += 1;
        let name: Arc<str> = self.take_while(|character| character != '`').into();
        if name.is_empty() || self.peek().is_none() {
            return Err("a quoted name does not end".to_owned());
        }
        self.at += 1;
        Ok(Kind::Name(name))
    }

    fn number(&mut self) -> Result<Kind, String> {
        if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            self.at += 2;
            let digits = self
                .take_while(|character| character.is_ascii_hexdigit())
                .to_owned();
            return self.whole(&digits, 16);
        }
        let start = self.at;
        self.take_while(|character| character.is_ascii_digit());
        let mut is_double = false;
        let after_dot = self.rest().chars().nth(1);
        if self.peek() == Some('.') && after_dot.is_some_and(|next| next.is_ascii_digit()) {
            is_double = true;
            self.at += 1;
            self.take_while(|character| character.is_ascii_digit());
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            let mark = self.at;
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            if self.take_while(|character| character.is_ascii_digit()).is_empty() {
                self.at = mark;
            } else {
                is_double = true;
            }
        }
        let digits = self.source[start..self.at].to_owned();
        if is_double {
            return digits
                .parse()
                .map(Kind::Double)
                .map_err(|_| "invalid double literal".to_owned());
        }
        self.whole(&digits, 10)
    }

    fn whole(&mut self, digits: &str, radix: u32) -> Result<Kind, String> {
        if matches!(self.peek(), Some('u' | 'U')) {
            self.at += 1;
            return u64::from_str_radix(digits, radix)
                .map(Kind::Uint)
                .map_err(|_| "invalid uint literal".to_owned());
        }
        match u64::from_str_radix(digits, radix) {
            Ok(number) if number == i64::MAX.unsigned_abs() + 1 => Ok(Kind::IntEdge),
            Ok(number) => i64::try_from(number)
                .map(Kind::Int)
                .map_err(|_| "invalid int literal".to_owned()),
            Err(_) => Err("invalid int literal".to_owned()),
        }
    }

    /// Whether a text or bytes literal begins here: raw, bytes, length of what stands before the quote.
    fn literal_prefix(&self) -> Option<(bool, bool, usize)> {
        let mut raw = false;
        let mut bytes = false;
        for (index, character) in self.rest().chars().take(3).enumerate() {
            match character {
                '"' | '\'' => return Some((raw, bytes, index)),
                'r' | 'R' if !raw => raw = true,
                'b' | 'B' if !bytes => bytes = true,
                _ => return None,
            }
        }
        None
    }

    fn literal(&mut self, raw: bool, bytes: bool) -> Result<Kind, String> {
        let quote = self.peek().unwrap_or('"');
        let triple: String = std::iter::repeat_n(quote, 3).collect();
        let end = if self.rest().starts_with(&triple) {
            triple
        } else {
            quote.to_string()
        };
        self.at += end.len();
        let mut found: Vec<u8> = Vec::new();
        loop {
            if self.rest().starts_with(&end) {
                self.at += end.len();
                break;
            }
            let Some(character) = self.peek() else {
                return Err("a text literal does not end".to_owned());
            };
            if end.len() == 1 && matches!(character, '\n' | '\r') {
                return Err("a text literal does not end on its line".to_owned());
            }
            self.at += character.len_utf8();
            if character == '\\' && !raw {
                self.escape(bytes, &mut found)?;
            } else {
                found.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        if bytes {
            return Ok(Kind::Bytes(found.into()));
        }
        String::from_utf8(found)
            .map(|text| Kind::Text(text.into()))
            .map_err(|_| "the text is not UTF-8".to_owned())
    }

    fn escape(&mut self, bytes: bool, found: &mut Vec<u8>) -> Result<(), String> {
        let bad = || "invalid escape sequence".to_owned();
        let letter = self.peek().ok_or_else(bad)?;
        self.at += letter.len_utf8();
        let plain = match letter {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '`' | '?' => letter,
            'x' | 'X' => return self.coded(2, 16, bytes, found),
            'u' if !bytes => return self.coded(4, 16, false, found),
            'U' if !bytes => return self.coded(8, 16, false, found),
            '0'..='3' => {
                self.at -= 1;
                return self.coded(3, 8, bytes, found);
            }
            _ => return Err(bad()),
        };
        found.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn coded(&mut self, digits: usize, radix: u32, byte: bool, found: &mut Vec<u8>) -> Result<(), String> {
        let bad = || "invalid escape sequence".to_owned();
        let text = self.rest().get(..digits).ok_or_else(bad)?;
        let code = u32::from_str_radix(text, radix).map_err(|_| bad())?;
        self.at += digits;
        if byte {
            found.push(u8::try_from(code).map_err(|_| bad())?);
        } else {
            let character = char::from_u32(code).ok_or_else(bad)?;
            found.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}
