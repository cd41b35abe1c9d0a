//! What the page may do: its host, its policy, its links.

use std::{collections::HashSet, fs};

use serde_json::{Value, json};

use crate::{
    desk::{Result, found},
    steps::a_desk,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_host_has_every_function_and_takes_only_what_is_the_daemons() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    let names = app.value("Object.keys(window.asterHost)").await?;
    let names: HashSet<&str> = names.as_array().ok_or("no list")?.iter().filter_map(Value::as_str).collect();
    let contract = "getRuntimeInfo startEngine stopEngine restartEngine pickFolder openLogs exportDiagnostics \
                    checkForUpdates request openSocket sendSocket closeSocket onSocketEvent onRuntimeStatus \
                    upload download saveAttachment";
    assert_eq!(names, contract.split_whitespace().collect());
    let info = app.promised("window.asterHost.getRuntimeInfo()").await?;
    let data_dir = desk.data("").display().to_string().trim_end_matches('/').to_owned();
    for (name, value) in [
        ("surface", json!("native")),
        ("framework", json!("tauri")),
        ("protocol", json!(1)),
        ("engine_status", json!("ready")),
        ("engine_transport", json!("unix_socket")),
        ("data_dir", json!(data_dir)),
    ] {
        assert_eq!(info[name], value, "{name}");
    }
    let updates = app.promised("window.asterHost.checkForUpdates()").await?;
    assert_eq!((&updates["supported"], updates["message"].is_string()), (&json!(false), true));
    let bundle = app.promised("window.asterHost.exportDiagnostics()").await?;
    assert!(fs::metadata(bundle.as_str().ok_or_else(|| bundle.to_string())?)?.len() > 0);

    for (asked, why) in [
        ("request('CONNECT', '/api/agents')", "method"),
        ("request('GET', '/api/../x')", "path"),
        ("request('GET', 'http://127.0.0.1/api/agents')", "path"),
        ("request('GET', '/api/events')", "openSocket"),
        ("request('POST', '/api/chat', 'x'.repeat(1024 * 1024 + 1))", "1 MiB"),
        ("upload('big', new Uint8Array(25 * 1024 * 1024 + 1))", "25 MiB"),
        ("upload('text', 'no bytes')", "a file is bytes"),
        ("upload('x'.repeat(5000), new Uint8Array(1))", "name of a file"),
        ("download('a/../../agents')", "id of an attachment"),
        ("download('')", "id of an attachment"),
        ("saveAttachment('a/b', 'x')", "id of an attachment"),
        ("saveAttachment('att_nothing', 'x')", "attachment not found"),
        ("openSocket('ws://127.0.0.1:9528/ws')", "not a socket of this host"),
        ("sendSocket('socket_0', 'x')", "no such socket"),
    ] {
        let refused = app.promised(&format!("window.asterHost.{asked}")).await?;
        let said = refused["refused"].as_str().unwrap_or_default();
        assert!(said.contains(why), "{asked}: {refused}");
    }
    // Commands that the capability does not list are refused.
    for command in ["plugin:opener|open_path", "plugin:event|emit", "plugin:window|close", "plugin:updater|check"] {
        let refused = app.promised(&format!("window.__TAURI_INTERNALS__.invoke('{command}', {{}}).catch((cause) => {{ throw new Error(String(cause)); }})")).await?;
        assert!(refused["refused"].as_str().is_some_and(|why| why.contains("not allowed")), "{command}: {refused}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_held_by_its_policy_and_streams_through_the_host() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    let headers = app.promised("fetch(location.href).then((one) => Object.fromEntries([...one.headers]))").await?;
    assert_eq!(headers["x-content-type-options"], "nosniff", "{headers}");
    let policy = headers["content-security-policy"].as_str().unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{headers}");
    assert!(policy.contains("img-src 'self' data: blob:;"), "{headers}");
    for refused in [
        "fetch('http://127.0.0.1:9528/health').then(() => 'reached', () => 'refused')",
        "new Promise((done) => { const one = document.createElement('script'); one.textContent = 'window.evil = 1'; \
         document.body.append(one); setTimeout(() => done(window.evil ? 'reached' : 'refused')); })",
    ] {
        assert_eq!(app.promised(refused).await?, "refused", "{refused}");
    }
    let link = "const one = document.createElement('a'); document.body.append(one); \
                Object.assign(one.style, { position: 'absolute', top: 0, zIndex: 999 });";
    for (name, url, target) in [
        ("another window", "https://example.com/one", "_blank"),
        ("a file", "file:///etc/passwd", "_blank"),
        ("this window", "https://example.com/two", ""),
    ] {
        let (name_of, url, target) = (json!(name), json!(url), json!(target));
        let link = format!("{link} one.textContent = {name_of}; one.href = {url}; one.target = {target};");
        app.value(&format!("(() => {{ {link} }})()")).await?;
        app.click(name).await?;
        app.value("document.body.lastElementChild.remove()").await?;
    }
    // Each link is opened by its own process, so the order may change.
    let opened = async || Some(desk.opened()).filter(|opened| opened.len() == 2);
    let mut opened = found("the links", opened).await?;
    opened.sort();
    assert_eq!(opened, ["https://example.com/one", "https://example.com/two"]);
    assert_eq!(app.value("location.origin").await?, "tauri://localhost");

    // The page's own socket sends its events to the same listener.
    let streamed = app
        .promised(
            "new Promise(async (done) => { const host = window.asterHost; const events = []; let id = null; let asked = false; \
             const look = () => { const mine = events.filter((event) => event.id === id); \
             if (mine.length > 0 && !asked) { asked = true; host.sendSocket(id, JSON.stringify({ id: '1', type: 'subscribe' })); } \
             if (mine.some((event) => event.type === 'message' && event.data.includes('\"connected\"'))) { \
             host.closeSocket(id); done(mine[0].type); } }; \
             host.onSocketEvent((event) => { events.push(event); look(); }); \
             id = await host.openSocket('aster-host://engine/ws'); look(); })",
        )
        .await?;
    assert_eq!(streamed, "open");
    Ok(())
}
