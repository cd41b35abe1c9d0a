//! Names every command of the app, so that a page can call only those that its capability lists.

const COMMANDS: &[&str] = &[
    "get_runtime_info",
    "start_engine",
    "stop_engine",
    "restart_engine",
    "pick_folder",
    "open_logs",
    "export_diagnostics",
    "check_for_updates",
    "save_attachment",
    "request",
    "upload",
    "download",
    "open_socket",
    "send_socket",
    "close_socket",
    "remember_place",
    "take_place",
    "hide_quick",
];

fn main() {
    println!("cargo:rerun-if-changed=src/host.js");
    let manifest = tauri_build::AppManifest::new().commands(COMMANDS);
    if let Err(cause) = tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest)) {
        println!("cargo:error={cause:#}");
    }
}
