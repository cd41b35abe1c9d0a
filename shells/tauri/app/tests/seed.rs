//! The guide's example in a real WebKit: a page of `tauri://localhost` that calls `http://127.0.0.1:9528` directly,
//! with the guide's own module, which is read at test time.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "the other test uses the rest of it")]
mod desk;

use std::{fs, net::TcpListener, path::Path};

use desk::{Desk, Result, missing, repository, until};
use serde_json::json;

/// The text of the guide's `src/api.js`. None: there is no guide next to this checkout (`ASTER_SEEDS_DIR` says where).
fn module() -> Option<String> {
    let beside = || Some(repository().parent()?.join("shared/seeds"));
    let seeds = std::env::var_os("ASTER_SEEDS_DIR").map(Into::into).or_else(beside)?;
    let guide =
        fs::read_dir(seeds).ok()?.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("000_"))?;
    let text = fs::read_to_string(guide.path()).ok()?;
    let (_, tauri) = text.split_once("\n2. Tauri")?;
    let (tauri, _) = tauri.split_once("\n3. Electron")?;
    let (_, module) = tauri.split_once("// src/api.js\n")?;
    Some(module.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_page_chats_and_hears_the_answer() -> Result<()> {
    let module = module();
    let why = missing().or_else(|| module.is_none().then(|| "the guide is not here".into()));
    let (None, Some(module)) = (&why, module) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why:?}, and CI=true");
        eprintln!("skipped: {why:?}");
        return Ok(());
    };
    // The daemon of an earlier test may still be stopping.
    let free = || TcpListener::bind(("127.0.0.1", 9528)).is_ok();
    until("port 9528, which the guide has and another program keeps", free).await?;
    let seed = Path::new(env!("CARGO_BIN_EXE_aster-app")).with_file_name("examples").join("seed");
    let desk = Desk::new()?;
    let app = desk.open(&seed, &[]).await?;
    app.until("document.title === 'Seed'").await?;
    assert_eq!(app.value("location.origin").await?, "tauri://localhost");
    let import = format!("import(URL.createObjectURL(new Blob([{}], {{ type: 'text/javascript' }})))", json!(module));
    app.value(&format!("({import}.then((api) => {{ window.api = api; }}), 0)")).await?;
    app.until("window.api").await?;
    // The guide's app does not wait until the daemon has started.
    let ask = "fetch('http://127.0.0.1:9528/api/agents').then(() => { window.there = true; }, () => setTimeout(window.ask, 100))";
    app.value(&format!("(window.ask = () => {ask}, window.ask(), 0)")).await?;
    app.until("window.there").await?;
    let hear = "(type, event) => { if (type === 'text_chunk') window.said += event.data.delta; }";
    app.value(&format!("(window.said = '', window.api.subscribeEvents({hear}), 0)")).await?;
    // The page can't tell when its stream is open, so it asks again until an answer arrives.
    let chat = "window.api.chat('default', 'Hello, page!').then((answer) => { window.answer = answer; })";
    app.value(&format!("(window.chat = () => {chat}, window.chat(), 0)")).await?;
    app.until("window.answer?.success").await?;
    let again = "(window.answer && (window.answer = null, window.chat()), false)";
    app.until(&format!("window.said.includes('Hello, page!') || {again}")).await
}
