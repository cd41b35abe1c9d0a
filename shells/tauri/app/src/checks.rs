//! Checks what a page passes to the host. Tauri's capabilities decide which pages may call it at all.

use tauri::Url;

use crate::brand::LINK_SCHEME;

/// The address of the daemon's WebSocket for pages, which know no port.
pub const SOCKET_URL: &str = "aster-host://engine/ws";

/// The longest body or frame: the daemon takes 1 MiB.
const MOST_BYTES: usize = 1024 * 1024;
/// The largest file: the daemon takes 25 MiB.
const MOST_FILE_BYTES: usize = 25 * 1024 * 1024;
const LONGEST_PATH: usize = 16 * 1024;
/// The longest percent-encoded name of a file, and the longest id of an attachment.
const LONGEST_NAME: usize = 4096;
const LONGEST_ID: usize = 200;
const LONGEST_PLACE: usize = 300;

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub &'static str);

/// Checks that a request is for the daemon and not too long. Raises: [`Refused`].
pub fn check_request(method: &str, path: &str, body: Option<&str>) -> Result<(), Refused> {
    if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method) {
        return Err(Refused("the method is none of the daemon's"));
    }
    let (bare, _query) = path.split_once('?').unwrap_or((path, ""));
    let known = ["/health", "/webui/bootstrap", "/openapi.json"].contains(&bare) || bare.starts_with("/api/");
    if !known || path.len() > LONGEST_PATH || !plain(path, bare) {
        return Err(Refused("the path is none of the daemon's"));
    }
    if bare == "/api/events" || bare.starts_with("/api/events/") {
        return Err(Refused("the stream goes by openSocket"));
    }
    if body.is_some_and(|body| body.len() > MOST_BYTES) {
        return Err(Refused("the body is over 1 MiB"));
    }
    Ok(())
}

/// Whether the path has no control characters, no spaces and nothing that a server could resolve to another path.
/// `bare`: the path without its query.
fn plain(path: &str, bare: &str) -> bool {
    let bare = bare.to_ascii_lowercase();
    let step = |part: &str| matches!(part.replace("%2e", ".").as_str(), "." | "..");
    path.bytes().all(|byte| byte.is_ascii_graphic())
        && !bare.contains(['\\', '#'])
        && !["%00", "%2f", "%5c"].iter().any(|odd| bare.contains(odd))
        && !bare.split('/').any(step)
}

/// Checks the percent-encoded name of a file, which becomes a header, and the file's size in bytes. Raises:
/// [`Refused`].
pub fn check_upload(name: &str, size: usize) -> Result<(), Refused> {
    if name.len() > LONGEST_NAME || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refused("not the name of a file"));
    }
    if size > MOST_FILE_BYTES { Err(Refused("the file is over 25 MiB")) } else { Ok(()) }
}

/// Checks the id of an attachment, which becomes a part of a path. Raises: [`Refused`].
pub fn check_attachment_id(id: &str) -> Result<(), Refused> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let right = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(known);
    if right { Ok(()) } else { Err(Refused("not the id of an attachment")) }
}

/// A name for a file to save: without folders, control characters and characters that reorder text.
pub fn file_name(name: &str) -> String {
    let odd = |one: char| {
        one.is_control()
            || matches!(one, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default().replace(odd, "");
    match last.trim() {
        "" | "." | ".." => "attachment".to_owned(),
        name => name.to_owned(),
    }
}

/// Checks that the address is [`SOCKET_URL`]. Raises: [`Refused`].
pub fn check_socket_url(url: &str) -> Result<(), Refused> {
    if url == SOCKET_URL { Ok(()) } else { Err(Refused("not a socket of this host; there is aster-host://engine/ws")) }
}

/// Checks the length of a frame. Raises: [`Refused`].
pub fn check_frame(data: &str) -> Result<(), Refused> {
    if data.len() > MOST_BYTES { Err(Refused("the frame is over 1 MiB")) } else { Ok(()) }
}

/// Checks a place in the page: the part of its URL that starts with `#`. Raises: [`Refused`].
pub fn check_place(place: &str) -> Result<(), Refused> {
    if place.starts_with("#/") && place.len() <= LONGEST_PLACE { Ok(()) } else { Err(Refused("not a place")) }
}

/// Whether a URL is one of the app's own pages: `tauri://localhost`, on Windows `http(s)://tauri.localhost`.
pub fn is_ours(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        "http" | "https" => cfg!(windows) && url.host_str() == Some("tauri.localhost"),
        _ => false,
    }
}

/// Whether the system's browser or mail program may open a link.
pub fn is_safe_link(url: &Url) -> bool {
    match url.scheme() {
        "mailto" => true,
        "http" | "https" => {
            url.host_str().is_some_and(|host| !host.is_empty()) && url.username().is_empty() && url.password().is_none()
        }
        _ => false,
    }
}

/// The place in the page of a link with the app's own scheme: `aster://session/ID` or `aster://inbox`. None: the link
/// is neither.
pub fn deep_link(url: &str) -> Option<String> {
    let place = url.strip_prefix(LINK_SCHEME)?.strip_prefix("://")?;
    let place = place.strip_suffix('/').unwrap_or(place);
    if place == "inbox" {
        return Some("#/inbox".into());
    }
    let session = place.strip_prefix("session/")?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    ((1..=128).contains(&session.len()) && session.bytes().all(known)).then(|| format!("#/s/{session}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reaches_the_daemons_paths_and_no_others() {
        for path in ["/health", "/webui/bootstrap", "/openapi.json", "/api/chat", "/api/history?agent_id=a%20b&limit=5"]
        {
            assert_eq!(check_request("GET", path, None), Ok(()), "{path}");
        }
        for path in [
            "",
            "/",
            "health",
            "/health/",
            "/docs",
            "//api/chat",
            "/api/../health",
            "/api/%2e%2E/x",
            "/api/a b",
            "/api/a\r\nX: y",
            "/api/a%2fb",
            "/api\\x",
            "/api/x#y",
            "http://127.0.0.1/api/x",
            "/api/ü",
            "/api/events",
            "/api/events?after=1",
            "/api/events/x",
        ] {
            assert!(check_request("GET", path, None).is_err(), "{path}");
        }
        assert!(check_request("CONNECT", "/api/chat", None).is_err());
        assert!(check_request("get", "/api/chat", None).is_err());
        assert!(check_request("POST", "/api/chat", Some(&"x".repeat(MOST_BYTES))).is_ok());
        assert!(check_request("POST", "/api/chat", Some(&"x".repeat(MOST_BYTES + 1))).is_err());
    }

    #[test]
    fn files_have_a_size_a_name_and_an_id() {
        assert_eq!(check_upload("a%20b.png", MOST_FILE_BYTES), Ok(()));
        assert!(check_upload("a.png", MOST_FILE_BYTES + 1).is_err_and(|why| why.0.contains("25 MiB")));
        for name in ["a b", "ü", "a\r\nX: y", &"x".repeat(LONGEST_NAME + 1)] {
            assert!(check_upload(name, 1).is_err(), "{name}");
        }
        assert_eq!(check_attachment_id("att_0aZ-9"), Ok(()));
        for id in ["", "a/b", "..", "a%2fb", "a?b", "ä", "a\n", &"x".repeat(LONGEST_ID + 1)] {
            assert!(check_attachment_id(id).is_err(), "{id}");
        }
        for (name, kept) in [
            ("Übersicht 🦊.png", "Übersicht 🦊.png"),
            ("/etc/passwd", "passwd"),
            ("..\\..\\evil.exe", "evil.exe"),
            ("a\u{202e}gnp.\r\nexe\u{0}", "agnp.exe"),
            ("dir/", "attachment"),
            ("..", "attachment"),
            ("", "attachment"),
        ] {
            assert_eq!(file_name(name), kept, "{name:?}");
        }
    }

    #[test]
    fn only_the_engines_socket_is_opened() {
        assert!(check_socket_url(SOCKET_URL).is_ok());
        for url in ["aster-host://engine/wss", "ws://127.0.0.1:9528/ws", "aster-host://other/ws", ""] {
            assert!(check_socket_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn links_of_its_own_lead_somewhere_and_odd_ones_nowhere() {
        assert_eq!(deep_link("aster://session/session_12").as_deref(), Some("#/s/session_12"));
        assert_eq!(deep_link("aster://inbox/").as_deref(), Some("#/inbox"));
        for url in ["aster://session/", "aster://session/a/b", "aster://session/a%20b", "other://inbox", "aster:inbox"]
        {
            assert_eq!(deep_link(url), None, "{url}");
        }
    }

    #[test]
    fn only_safe_links_leave_the_app() {
        let safe = |url: &str| is_safe_link(&Url::parse(url).expect("an address"));
        assert!(safe("https://example.org/x") && safe("http://example.org") && safe("mailto:ada@example.org"));
        for url in ["javascript:alert(1)", "file:///etc/passwd", "https://user@example.org", "data:text/html,x"] {
            assert!(!safe(url), "{url}");
        }
        assert!(is_ours(&Url::parse("tauri://localhost/index.html#/x").expect("an address")));
        assert!(!is_ours(&Url::parse("tauri://elsewhere/").expect("an address")));
        assert!(!is_ours(&Url::parse("https://example.org/").expect("an address")));
    }
}
