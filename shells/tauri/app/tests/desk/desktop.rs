//! The parts of a desktop that the app needs: dunst for notifications, and a tray and a file manager that exist on the
//! bus only.

use std::{
    collections::HashMap,
    fs,
    process::{Child, Command},
    sync::{Arc, Mutex, PoisonError},
};

use zbus::{
    Connection, connection, interface,
    message::Header,
    zvariant::{OwnedObjectPath, OwnedValue, Structure, Value},
};

use super::{Desk, Result, found};

const MENU: &str = "com.canonical.dbusmenu";
const ITEM: &str = "org.kde.StatusNotifierItem";

pub struct Desktop {
    bus: Connection,
    trays: Trays,
    shown: Shown,
    dunst: Child,
}

/// The tray items that were registered: bus name and object path.
#[derive(Clone, Default)]
struct Trays(Arc<Mutex<Vec<(String, String)>>>);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Trays {
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((sender, service.to_owned()));
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// The URIs that the file manager was asked to show.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<String>>>);

#[interface(name = "org.freedesktop.FileManager1")]
impl Shown {
    fn show_items(&self, uris: Vec<String>, _startup_id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(uris);
    }
}

/// One item of the tray's menu.
#[derive(Debug)]
struct Line {
    id: i32,
    label: String,
    /// Whether the item is ticked; None: it has no tick box.
    ticked: Option<bool>,
}

/// A node of com.canonical.dbusmenu: id, properties, children.
type Node = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

impl Desktop {
    pub async fn new(desk: &Desk) -> Result<Self> {
        let (trays, shown) = (Trays::default(), Shown::default());
        let bus = connection::Builder::address(desk.address.as_str())?
            .serve_at("/StatusNotifierWatcher", trays.clone())?
            .serve_at("/org/freedesktop/FileManager1", shown.clone())?
            .name("org.kde.StatusNotifierWatcher")?
            .name("org.freedesktop.FileManager1")?
            .build()
            .await?;
        // Notifications stay until they are clicked or closed.
        let rules = desk.path("dunstrc");
        fs::write(&rules, ["low", "normal", "critical"].map(|one| format!("[urgency_{one}]\ntimeout = 0\n")).concat())?;
        let dunst = desk.surround(Command::new("dunst").arg("-conf").arg(rules)).spawn()?;
        let desktop = Self { bus, trays, shown, dunst };
        // Without this wait the bus would start a second dunst, without a display.
        let there = ("org.freedesktop.Notifications",);
        let bus_itself = Some("org.freedesktop.DBus");
        let here = async || {
            let asked =
                desktop.bus.call_method(bus_itself, "/org/freedesktop/DBus", bus_itself, "NameHasOwner", &there);
            asked.await.ok()?.body().deserialize::<bool>().ok().filter(|&here| here)
        };
        found("dunst", here).await?;
        Ok(desktop)
    }

    pub fn shown(&self) -> Vec<String> {
        self.shown.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    // -- the tray ---------------------------------------------------------------------------------------------------

    /// The labels of the tray's menu; empty when there is no tray.
    pub async fn tray(&self) -> Result<Vec<String>> {
        Ok(self.lines().await?.into_iter().map(|line| line.label).collect())
    }

    pub async fn tray_says(&self, wanted: &str) -> Result<()> {
        self.tray_is(wanted, |lines| lines.iter().any(|line| line.label == wanted)).await
    }

    /// Waits until a label of the tray's menu begins with `start`, or until none does.
    pub async fn tray_has(&self, start: &str, there: bool) -> Result<()> {
        self.tray_is(start, |lines| lines.iter().any(|line| line.label.starts_with(start)) == there).await
    }

    pub async fn tray_is_gone(&self) -> Result<()> {
        self.tray_is("no tray", <[Line]>::is_empty).await
    }

    pub async fn is_ticked(&self, label: &str, ticked: bool) -> Result<()> {
        let so = |line: &Line| line.label == label && line.ticked == Some(ticked);
        self.tray_is(label, |lines| lines.iter().any(so)).await
    }

    async fn tray_is(&self, what: &str, met: impl Fn(&[Line]) -> bool) -> Result<()> {
        // An error means that the menu is being replaced.
        let so = async || self.lines().await.ok().filter(|lines| met(lines));
        match found(what, so).await {
            Ok(_) => Ok(()),
            Err(cause) => Err(format!("{cause}; the tray says {:?}", self.lines().await?).into()),
        }
    }

    /// Clicks the item of the tray's menu whose label begins with this text.
    pub async fn choose(&self, label: &str) -> Result<()> {
        let chosen = async || {
            let line = self.lines().await.ok()?.into_iter().find(|line| line.label.starts_with(label))?;
            let (owner, menu) = self.menu().await.ok()??;
            let event = (line.id, "clicked", Value::I32(0), 0_u32);
            // An error means that the menu was replaced; try again.
            self.bus.call_method(Some(owner.as_str()), &menu, Some(MENU), "Event", &event).await.ok()
        };
        found(label, chosen).await.map(drop)
    }

    async fn lines(&self) -> Result<Vec<Line>> {
        let Some((owner, menu)) = self.menu().await? else { return Ok(Vec::new()) };
        let all = (0, -1, Vec::<&str>::new());
        let answer = self.bus.call_method(Some(owner.as_str()), &menu, Some(MENU), "GetLayout", &all).await?;
        let (_revision, (_, _, children)): (u32, Node) = answer.body().deserialize()?;
        children.into_iter().map(line).collect()
    }

    /// The bus name and menu path of the newest tray item; None while it is hidden.
    async fn menu(&self) -> Result<Option<(String, OwnedObjectPath)>> {
        let newest = self.trays.0.lock().unwrap_or_else(PoisonError::into_inner).last().cloned();
        let Some((owner, path)) = newest else { return Ok(None) };
        let property = async |name: &str| -> Result<OwnedValue> {
            let properties = Some("org.freedesktop.DBus.Properties");
            let asked = (ITEM, name);
            let answer = self.bus.call_method(Some(owner.as_str()), path.as_str(), properties, "Get", &asked).await?;
            Ok(answer.body().deserialize()?)
        };
        // A removed item is no longer on the bus, or has the status Passive.
        let Ok(status) = property("Status").await else { return Ok(None) };
        if String::try_from(status)? == "Passive" {
            return Ok(None);
        }
        let menu = property("Menu").await?.try_into()?;
        Ok(Some((owner.clone(), menu)))
    }
}

fn line(child: OwnedValue) -> Result<Line> {
    let (id, properties, _): Node = Structure::try_from(child)?.try_into()?;
    let text = |name: &str| properties.get(name).and_then(|value| value.downcast_ref::<String>().ok());
    let state = properties.get("toggle-state").and_then(|value| value.downcast_ref::<i32>().ok());
    Ok(Line {
        id,
        label: text("label").unwrap_or_default(),
        ticked: text("toggle-type").and(state).map(|state| state == 1),
    })
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.dunst.kill();
        let _ = self.dunst.wait();
    }
}

/// The output of `dunstctl`; empty when it can't be run.
pub fn dunst_says(desk: &Desk, words: &[&str]) -> String {
    let mut dunstctl = Command::new("timeout");
    let said =
        desk.surround(dunstctl.args(["20", "dunstctl"]).args(words)).stdout(std::process::Stdio::piped()).output();
    said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default()
}
