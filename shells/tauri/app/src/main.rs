//! The app, from the top: what is set up in which order, and who tells whom.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod attention;
mod brand;
mod checks;
mod commands;
mod diagnostics;
mod login;
mod menu;
mod root;
mod shell;
mod sockets;
mod state;
mod tray;
mod windows;

use std::{error::Error, fs, sync::Arc};

use tauri::{App, AppHandle, Manager, RunEvent, async_runtime::spawn};
use tauri_plugin_autostart::MacosLauncher;
use tauri_plugin_deep_link::DeepLinkExt;
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};
use tauri_plugin_global_shortcut::ShortcutState;

use crate::{
    shell::{Engine, Shell, shell},
    state::StateFile,
};

fn main() -> Result<(), tauri::Error> {
    tauri::Builder::default()
        // First of all: a second start is told to the first, and ends.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _folder| {
            let place = arguments.iter().find_map(|argument| checks::deep_link(argument));
            if is_there(app) {
                windows::show(app, place.as_deref());
            }
        }))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(
            tauri_plugin_window_state::Builder::default()
                .with_state_flags(windows::REMEMBERED)
                .with_denylist(&[windows::QUICK])
                .build(),
        )
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_opener::Builder::new().open_js_links_on_click(false).build())
        .plugin(
            tauri_plugin_global_shortcut::Builder::new()
                .with_handler(|app, _shortcut, event| {
                    if event.state() == ShortcutState::Pressed {
                        let shell = shell(app);
                        // Not here: the main thread waits for this one when it takes the key away.
                        let toggled = shell.clone();
                        shell.note("the hotkey", app.run_on_main_thread(move || toggled.toggle_quick()));
                    }
                })
                .build(),
        )
        .plugin(tauri_plugin_autostart::init(MacosLauncher::LaunchAgent, Some(vec![login::HIDDEN])))
        .plugin(tauri_plugin_updater::Builder::new().build())
        .invoke_handler(commands::handler())
        .menu(menu::build)
        .on_menu_event(|app, event| {
            if is_there(app) {
                menu::choose(app, event.id().as_ref());
            }
        })
        .setup(set_up)
        .build(tauri::generate_context!())?
        .run(live);
    Ok(())
}

fn set_up(app: &mut App) -> Result<(), Box<dyn Error>> {
    let app = app.handle();
    let home = app.path().app_data_dir()?;
    fs::create_dir_all(&home)?;
    let state = match StateFile::read(home.join("desktop-state.json")) {
        Ok(state) => state,
        Err(cause) => {
            let hint =
                if matches!(cause, state::Error::TooNew(_)) { "\n\nUpdate the app; nothing was changed." } else { "" };
            eprintln!("{cause}");
            app.dialog()
                .message(format!("{cause}{hint}"))
                .title(format!("{} can't start", brand::NAME))
                .kind(MessageDialogKind::Error)
                .show(|_| std::process::exit(1));
            return Ok(());
        }
    };
    let shell = Shell::new(app, &home, state);
    app.manage(shell.clone());
    end_on_signals(app)?;
    windows::open(app, asked_for(app)?.as_deref(), std::env::args().any(|argument| argument == login::HIDDEN))?;
    let linked = app.clone();
    app.deep_link().on_open_url(move |event| {
        let place = event.urls().iter().find_map(|url| checks::deep_link(url.as_str()));
        windows::show(&linked, place.as_deref());
    });
    shell.hear_notifications();
    shell.watch();
    shell.draw();
    if let Some(notice) = &shell.state.notice {
        shell.say(MessageDialogKind::Warning, notice);
    }
    shell.engine(Engine::Start);
    spawn(attention::attend(shell));
    Ok(())
}

/// Not while all there is, is a dialog that says why it can't start.
fn is_there(app: &AppHandle) -> bool {
    app.try_state::<Arc<Shell>>().is_some()
}

/// Where the link leads that the app was started with. Elsewhere than on macOS it is an argument, and is taken as it came:
/// the plugin would have made it another link, without `..`.
fn asked_for(app: &AppHandle) -> tauri_plugin_deep_link::Result<Option<String>> {
    if cfg!(target_os = "macos") {
        let urls = app.deep_link().get_current()?;
        return Ok(urls.into_iter().flatten().find_map(|url| checks::deep_link(url.as_str())));
    }
    Ok(std::env::args().skip(1).find_map(|argument| checks::deep_link(&argument)))
}

fn live(app: &AppHandle, event: RunEvent) {
    match event {
        RunEvent::ExitRequested { api, .. } => {
            let over = app.try_state::<Arc<Shell>>().is_none_or(|shell| shell.may_end());
            if !over {
                api.prevent_exit();
            }
        }
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => windows::show(app, None),
        _ => {}
    }
}

/// A shell that is told to end takes the daemon along.
#[cfg(unix)]
fn end_on_signals(app: &AppHandle) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let app = app.clone();
        let mut told = tauri::async_runtime::block_on(async { signal(kind) })?;
        spawn(async move {
            while told.recv().await.is_some() {
                app.exit(0);
            }
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn end_on_signals(app: &AppHandle) -> std::io::Result<()> {
    let app = app.clone();
    spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            app.exit(0);
        }
    });
    Ok(())
}
