//! Prints lines as `TIME [POD] MESSAGE`, each Pod in a colour of its own where colours are wanted.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::Line;

/// Easy to tell apart, on dark and on light.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Red,
];

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Printer<W> {
    out: W,
    colours: bool,
    /// The Pods in the order in which they came.
    pods: Vec<String>,
    printed: u64,
}

impl Printer<io::Stdout> {
    /// To standard output, with colours on a terminal unless `NO_COLOR` says otherwise.
    pub(crate) fn stdout() -> Self {
        let choice = anstream::AutoStream::choice(&io::stdout());
        Self::new(io::stdout(), choice != anstream::ColorChoice::Never)
    }
}

impl<W: Write> Printer<W> {
    fn new(out: W, colours: bool) -> Self {
        Self {
            out,
            colours,
            pods: Vec::new(),
            printed: 0,
        }
    }

    /// Writes a line; what a program wrote stays as it wrote it.
    pub(crate) fn print(&mut self, pod: &str, line: &Line) -> io::Result<()> {
        let style = if self.colours {
            self.style(pod)
        } else {
            Style::new()
        };
        let mut bytes = format!("{style}{} [{pod}]{style:#} ", line.stamp).into_bytes();
        bytes.extend_from_slice(&line.message);
        bytes.push(b'\n');
        self.printed += 1;
        self.out.write_all(&bytes)?;
        self.out.flush()
    }

    /// How many lines there have been.
    pub(crate) fn printed(&self) -> u64 {
        self.printed
    }

    fn style(&mut self, pod: &str) -> Style {
        let place = self.pods.iter().position(|known| known == pod);
        let place = place.unwrap_or_else(|| {
            self.pods.push(pod.to_owned());
            self.pods.len() - 1
        });
        Style::new().fg_color(Some(COLOURS[place % COLOURS.len()].into()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Without colours, into memory.
    pub(in crate::logs) fn plain() -> Printer<Vec<u8>> {
        Printer::new(Vec::new(), false)
    }

    /// What was printed.
    pub(in crate::logs) fn text(printer: Printer<Vec<u8>>) -> String {
        String::from_utf8(printer.out).unwrap()
    }

    fn printed(colours: bool) -> String {
        let mut printer = Printer::new(Vec::new(), colours);
        for (pod, line) in [("a", "one"), ("b", "two"), ("a", "three")] {
            let line = Line::of(format!("2026-01-02T03:04:05Z {line}").as_bytes());
            printer.print(pod, &line).unwrap();
        }
        assert_eq!(printer.printed(), 3);
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn lines_are_time_pod_and_message() {
        assert_eq!(
            printed(false),
            "2026-01-02T03:04:05Z [a] one\n2026-01-02T03:04:05Z [b] two\n2026-01-02T03:04:05Z [a] three\n"
        );
    }

    #[test]
    fn each_pod_keeps_a_colour() {
        let painted = printed(true);
        let colours: Vec<&str> = painted
            .lines()
            .filter_map(|line| line.split("2026").next())
            .collect();
        assert_eq!(colours[0], colours[2]);
        assert_ne!(colours[0], colours[1]);
        assert!(colours[0].starts_with('\u{1b}'), "{painted:?}");
    }
}
