//! Type python: the process becomes a Python that serves the tool's WSGI application.

use std::{os::unix::process::CommandExt as _, path::Path, process::Command};

use super::{not_there, program::with_port};

/// A WSGI server of the standard library's parts: nothing is to be installed.
const SERVER: &str = include_str!("wsgi.py");

/// Becomes Python, that of `~/www/python/venv` where there is one; returns only why it could not.
pub(super) fn become_it(home: &Path, port: u16) -> String {
    let folder = home.join("www/python");
    let source = folder.join("src");
    if !source.join("app.py").is_file() {
        return not_there(&source.join("app.py"));
    }
    let own = folder.join("venv/bin/python3");
    let python = if own.exists() {
        own.into_os_string()
    } else {
        "python3".into()
    };
    let mut command = Command::new(&python);
    command
        .args(["-u", "-c", SERVER])
        .current_dir(source)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let error = with_port(&mut command, port).exec();
    format!("{} cannot be run: {error}", python.display())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::TcpStream,
        process::Stdio,
    };

    use super::*;

    const APP: &str = r#"
def app(environ, start_response):
    body = f"{environ['wsgi.url_scheme']} {environ['PATH_INFO']}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"#;

    /// Runs the server over a folder with this app.py; gives the process, and what it first printed.
    fn serve(app: &str) -> (std::process::Child, String) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.py"), app).unwrap();
        let mut server = Command::new("python3")
            .args(["-u", "-c", SERVER])
            .current_dir(folder.path())
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        (server, line)
    }

    #[test]
    fn a_wsgi_application_is_served_and_knows_its_scheme() {
        let (mut server, line) = serve(APP);
        let port: u16 = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
        connection
            .write_all(b"GET /a/b HTTP/1.1\r\nHost: t.example\r\nX-Forwarded-Proto: https\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
        assert!(answer.ends_with("https /a/b"), "{answer}");
    }

    #[test]
    fn an_application_without_app_says_so() {
        let (mut server, _) = serve("application = None");
        let mut error = String::new();
        server.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert!(!server.wait().unwrap().success());
        assert!(error.contains("has no callable `app`"), "{error}");
    }
}
