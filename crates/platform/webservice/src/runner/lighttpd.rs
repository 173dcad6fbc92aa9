//! lighttpd with the tool's own `~/.lighttpd.conf`: the configuration that is put before it, as in the
//! original (facts section 8, "webservice-runner").

use std::path::{Path, PathBuf};

use super::{
    machine,
    place::Place,
    work::{Process, Work},
};

/// PHP's processes, and the requests that each child answers before it is replaced (facts section 8).
pub(super) const PHP_PROCESSES: usize = 2;
/// Children of each process.
pub(super) const PHP_CHILDREN: usize = 2;
/// Requests of each child.
pub(super) const PHP_REQUESTS: usize = 500;

/// Where Debian's lighttpd has the script that tells types of files.
const DEBIAN_TYPES: &str = "/usr/share/lighttpd/create-mime.conf.pl";

/// The tool's own configuration.
pub(super) fn own_configuration(place: &Place) -> PathBuf {
    place.home.join(".lighttpd.conf")
}

/// Type lighttpd-plain: whatever the tool's configuration says.
pub(super) fn plain(place: &Place) -> Result<Work, String> {
    let lighttpd = machine::need(&["lighttpd"], "lighttpd", "this type")?;
    run(place, &lighttpd, None)
}

/// lighttpd in the foreground, with PHP where a program for it is given.
pub(super) fn run(place: &Place, lighttpd: &Path, php: Option<&Path>) -> Result<Work, String> {
    let own = own_configuration(place);
    let own = match std::fs::read_to_string(&own) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("{} cannot be read: {error}", own.display()));
        }
        text => text.unwrap_or_default(),
    };
    let configuration = Configuration {
        home: &place.home,
        tool: (!place.canonical).then(|| place.tool()),
        run: place.run_folder(),
        port: place.port,
        php,
        types: Path::new(DEBIAN_TYPES).is_file(),
    };
    let path = place.write("lighttpd.conf", &configuration.with(&own))?;
    anstream::println!(
        "running lighttpd on port {}; its errors go to {}",
        place.port,
        place.home.join("error.log").display()
    );
    let mut command = place.command(lighttpd, &place.home);
    command.arg("-D").arg("-f").arg(path);
    Ok(Process::alone(command))
}

struct Configuration<'a> {
    home: &'a Path,
    /// Served below its name, too.
    tool: Option<String>,
    run: &'a Path,
    port: u16,
    php: Option<&'a Path>,
    /// Whether Debian's types of files are there.
    types: bool,
}

impl Configuration<'_> {
    /// Ours, then the tool's.
    fn with(&self, own: &str) -> String {
        let mut text = self.base();
        // A second `=` would be an error, and it is the tool that knows what it wants.
        let sets_aliases = own.lines().any(|line| {
            line.trim_start()
                .strip_prefix("alias.url")
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        });
        if let (Some(tool), false) = (&self.tool, sets_aliases) {
            let root = self.home.join("public_html");
            text.push_str(&line(&format!(
                "alias.url = ( {} => {} )",
                quoted(&format!("/{tool}/")),
                quoted(&format!("{}/", root.display()))
            )));
        }
        text.push_str(&self.types());
        if let Some(php) = self.php {
            text.push_str(&self.php(php));
        }
        text.push_str("# From here on ~/.lighttpd.conf\n");
        text.push_str(own);
        if !own.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    fn base(&self) -> String {
        let path = |path: PathBuf| quoted(&path.display().to_string());
        format!(
            r#"server.modules = ( "mod_setenv", "mod_access", "mod_accesslog", "mod_alias", "mod_redirect", "mod_rewrite", "mod_fastcgi", "mod_cgi" )
server.port = {port}
server.bind = "0.0.0.0"
server.use-ipv6 = "disable"
server.document-root = {root}
server.upload-dirs = ( {run} )
server.errorlog = {errors}
server.pid-file = {pid}
server.max-connections = 300
server.follow-symlink = "enable"
server.stream-response-body = 1
index-file.names = ( "index.php", "index.html", "index.htm" )
dir-listing.encoding = "utf-8"
url.access-deny = ( "~", ".inc" )
static-file.exclude-extensions = ( ".php", ".pl", ".fcgi" )
"#,
            port = self.port,
            root = path(self.home.join("public_html")),
            run = path(self.run.to_owned()),
            errors = path(self.home.join("error.log")),
            pid = path(self.run.join("lighttpd.pid")),
        )
    }

    fn types(&self) -> String {
        if self.types {
            return line(&format!("include_shell {}", quoted(DEBIAN_TYPES)));
        }
        let known = [
            (".html", "text/html"),
            (".htm", "text/html"),
            (".txt", "text/plain; charset=utf-8"),
            (".css", "text/css; charset=utf-8"),
            (".js", "text/javascript; charset=utf-8"),
            (".json", "application/json"),
            (".xml", "application/xml"),
            (".svg", "image/svg+xml"),
            (".png", "image/png"),
            (".jpg", "image/jpeg"),
            (".gif", "image/gif"),
            (".webp", "image/webp"),
            (".ico", "image/x-icon"),
            (".pdf", "application/pdf"),
            ("", "application/octet-stream"),
        ];
        let pairs = known.map(|(ending, kind)| format!("{} => {}", quoted(ending), quoted(kind)));
        line(&format!("mimetype.assign = ( {} )", pairs.join(", ")))
    }

    fn php(&self, php: &Path) -> String {
        format!(
            r#"fastcgi.server = ( ".php" => (( "bin-path" => {php}, "socket" => {socket}, "max-procs" => {PHP_PROCESSES},
  "bin-environment" => ( "PHP_FCGI_CHILDREN" => "{PHP_CHILDREN}", "PHP_FCGI_MAX_REQUESTS" => "{PHP_REQUESTS}" ),
  "broken-scriptfilename" => "enable", "allow-x-send-file" => "enable" )) )
"#,
            php = quoted(&php.display().to_string()),
            socket = quoted(&self.run.join("php").display().to_string()),
        )
    }
}

fn line(text: &str) -> String {
    format!("{text}\n")
}

/// As a string of lighttpd's configuration.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(own: &str, canonical: bool) -> String {
        Configuration {
            home: Path::new("/home/alpha"),
            tool: (!canonical).then(|| "alpha".to_owned()),
            run: Path::new("/run/x"),
            port: 8000,
            php: Some(Path::new("/usr/bin/php-cgi")),
            types: false,
        }
        .with(own)
    }

    #[test]
    fn the_tools_own_lines_come_last() {
        let text = configuration("$HTTP[\"host\"] == \"x\" { }", true);
        assert!(
            text.ends_with("# From here on ~/.lighttpd.conf\n$HTTP[\"host\"] == \"x\" { }\n"),
            "{text}"
        );
        for part in [
            "server.port = 8000\n",
            "server.document-root = \"/home/alpha/public_html\"\n",
            "server.errorlog = \"/home/alpha/error.log\"\n",
            "server.max-connections = 300\n",
            "\"max-procs\" => 2",
            "\"PHP_FCGI_MAX_REQUESTS\" => \"500\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_name_of_the_tool_leads_to_it_unless_it_is_canonical_or_says_something_else() {
        let alias = "alias.url = ( \"/alpha/\"";
        assert!(configuration("", false).contains(alias));
        assert!(!configuration("", true).contains(alias));
        assert!(!configuration("alias.url = ( \"/x/\" => \"/y/\" )", false).contains(alias));
        assert!(configuration("alias.url += ( \"/x/\" => \"/y/\" )", false).contains(alias));
    }
}
