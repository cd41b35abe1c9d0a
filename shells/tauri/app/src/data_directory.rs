//! “Data Directory…”: moves the data to a folder that the user chooses, and runs the engine there.

use std::{path::Path, sync::Arc};

use tauri_plugin_dialog::MessageDialogKind;

use crate::{
    data_files::{self, Error},
    dialogs, engine,
    shell::Shell,
};

/// Asks for a folder and moves the data there. Errors are shown.
pub async fn choose(shell: &Arc<Shell>) {
    let title = "Where to keep conversations, settings and logs";
    let Some(folder) = dialogs::pick_folder(&shell.app, title).await else { return };
    if let Err(cause) = change(shell, &folder).await {
        dialogs::show(&shell.app, MessageDialogKind::Error, cause.to_string());
    }
}

/// After the user agreed: stops the engine, moves the data or adopts those in `folder`, and starts the engine there.
/// When that fails, it starts with the old directory. Raises: [`Error`].
async fn change(shell: &Arc<Shell>, folder: &Path) -> Result<(), Error> {
    let old = shell.supervisor();
    let from = old.data_dir().to_owned();
    let to = data_files::chosen_root(folder, &engine::bundle(&shell.app))?;
    if to == from {
        return Ok(());
    }
    let adopt = data_files::holds_data(&to);
    let (question, yes, then) = if adopt {
        ("Use the data that are there?", "Use them", "What is in the first stays where it is.")
    } else {
        ("Move all data there?", "Move", "The engine stops while they are moved.")
    };
    let text = format!("{question}\n\nFrom {}\nto {}\n\n{then}", from.display(), to.display());
    if !dialogs::confirm(&shell.app, text, yes).await {
        return Ok(());
    }
    // Permanently: another start would create the old directory again, and so would a late line of the log.
    old.retire().await;
    old.log().close().await;
    let moved = if adopt { Ok(()) } else { data_files::move_data(&from, &to) }
        .and_then(|()| Ok(shell.state.change(|remembered| remembered.runtime_root = Some(to.clone()))?));
    shell.replace_supervisor(engine::supervisor(&shell.app, if moved.is_ok() { to } else { from }));
    engine::follow(shell);
    engine::run(shell, engine::Request::Start);
    moved
}
