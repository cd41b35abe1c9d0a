//! The page's calls, answered: only what its capability lists, only with what is expected.

use std::{path::PathBuf, sync::Arc, time::Duration};

use aster_supervisor::{Answer, Call};
use serde::Serialize;
use tauri::{AppHandle, Emitter, Manager, State, WebviewWindow, ipc::Invoke};

use crate::{
    checks::{check_frame, check_place, check_request, check_socket_url},
    shell::{RuntimeInfo, Shell, Updates},
    windows,
};

const WITHIN: Duration = Duration::from_secs(60);
/// How long a page's call waits for an engine that is on its way, before it is told that there is none.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who answers approvals in a window, for all others.
const CLIENT: &str = "the app window";

type Host<'a> = State<'a, Arc<Shell>>;

/// What a page is told when it can't have what it asked for.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Refusal(String);

impl<E: std::error::Error> From<E> for Refusal {
    fn from(cause: E) -> Self {
        Self(cause.to_string())
    }
}

type Answered<T> = Result<T, Refusal>;

pub fn handler() -> impl Fn(Invoke) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        get_runtime_info,
        start_engine,
        stop_engine,
        restart_engine,
        pick_folder,
        open_logs,
        export_diagnostics,
        check_for_updates,
        request,
        open_socket,
        send_socket,
        close_socket,
        remember_place,
        take_place,
        hide_quick,
    ]
}

#[tauri::command]
async fn get_runtime_info(host: Host<'_>) -> Answered<RuntimeInfo> {
    Ok(host.runtime_info())
}

#[tauri::command]
async fn start_engine(host: Host<'_>) -> Answered<()> {
    Ok(host.supervisor().start().await?)
}

#[tauri::command]
async fn stop_engine(host: Host<'_>) -> Answered<()> {
    host.supervisor().stop().await;
    Ok(())
}

#[tauri::command]
async fn restart_engine(host: Host<'_>) -> Answered<()> {
    Ok(host.supervisor().restart().await?)
}

#[tauri::command]
async fn pick_folder(host: Host<'_>) -> Answered<Option<PathBuf>> {
    Ok(host.pick_folder("Choose a folder").await)
}

#[tauri::command]
async fn open_logs(host: Host<'_>) -> Answered<()> {
    Ok(host.open_logs()?)
}

#[tauri::command]
async fn export_diagnostics(host: Host<'_>) -> Answered<PathBuf> {
    host.export_diagnostics().await.map_err(Refusal)
}

#[tauri::command]
async fn check_for_updates(host: Host<'_>) -> Answered<Updates> {
    Ok(host.check_for_updates().await)
}

#[tauri::command]
async fn request(host: Host<'_>, method: String, path: String, body: Option<String>) -> Answered<Answer> {
    check_request(&method, &path, body.as_deref())?;
    let supervisor = host.supervisor();
    supervisor.reachable(PATIENCE).await;
    Ok(supervisor.call(Call { method, path, body, within: WITHIN, client: Some(CLIENT.into()) }).await?)
}

#[tauri::command]
async fn open_socket(host: Host<'_>, window: WebviewWindow, url: String) -> Answered<String> {
    check_socket_url(&url)?;
    let supervisor = host.supervisor();
    supervisor.reachable(PATIENCE).await;
    let owner = window.label().to_owned();
    Ok(host.sockets.open(&owner, supervisor.endpoint()?, CLIENT, move |event| {
        // The window may be gone, and its socket goes with it.
        let _ = window.emit_to(window.label(), "aster:socket-event", event);
    })?)
}

#[tauri::command]
async fn send_socket(host: Host<'_>, window: WebviewWindow, id: String, data: String) -> Answered<()> {
    check_frame(&data)?;
    Ok(host.sockets.send(window.label(), &id, data)?)
}

#[tauri::command]
async fn close_socket(host: Host<'_>, window: WebviewWindow, id: String) -> Answered<()> {
    host.sockets.close(window.label(), &id);
    Ok(())
}

#[tauri::command]
async fn remember_place(host: Host<'_>, place: String) -> Answered<()> {
    check_place(&place)?;
    Ok(host.state.change(|remembered| remembered.last_place = Some(place))?)
}

#[tauri::command]
async fn take_place(host: Host<'_>, window: WebviewWindow) -> Answered<Option<String>> {
    Ok(if window.label() == windows::MAIN { host.going().heard() } else { None })
}

#[tauri::command]
async fn hide_quick(app: AppHandle) -> Answered<()> {
    match app.get_webview_window(windows::QUICK) {
        Some(window) => Ok(window.hide()?),
        None => Ok(()),
    }
}
