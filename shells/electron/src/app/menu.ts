// The application menu, with its accelerators.
import { Menu, type MenuItemConstructorOptions } from "electron";
import type { Actions } from "./actions.js";
import { switches, type Switches } from "./switches.js";

export function setMenu(actions: Actions, picture: Switches): void {
  const mac = process.platform === "darwin";
  const settings: MenuItemConstructorOptions = {
    label: "Settings",
    accelerator: "CommandOrControl+,",
    click: () => {
      actions.show("#/settings/models");
    },
  };
  const template: MenuItemConstructorOptions[] = [
    ...(mac
      ? [
          {
            label: actions.name,
            submenu: [
              { role: "about" },
              { type: "separator" },
              settings,
              { type: "separator" },
              { role: "services" },
              { role: "hide" },
              { role: "hideOthers" },
              { role: "unhide" },
              { type: "separator" },
              { role: "quit" },
            ],
          } satisfies MenuItemConstructorOptions,
        ]
      : []),
    {
      label: "&File",
      submenu: [
        {
          label: "New Conversation",
          accelerator: "CommandOrControl+N",
          click: () => {
            actions.show("#/new");
          },
        },
        {
          label: "Quick Panel",
          click: () => {
            actions.toggleQuick();
          },
        },
        { type: "separator" },
        ...switches(picture, actions),
        ...(mac ? [] : [settings]),
        { type: "separator" },
        { role: "close" },
        ...(mac ? [] : [{ role: "quit" } as const]),
      ],
    },
    { role: "editMenu" },
    {
      label: "&View",
      submenu: [
        {
          label: "Inbox",
          accelerator: "CommandOrControl+Shift+I",
          click: () => {
            actions.show("#/inbox");
          },
        },
        {
          label: "Agents",
          accelerator: "CommandOrControl+Shift+A",
          click: () => {
            actions.show("#/agents");
          },
        },
        { type: "separator" },
        { role: "reload" },
        { role: "resetZoom" },
        { role: "zoomIn" },
        { role: "zoomOut" },
        { role: "togglefullscreen" },
        // Not its usual shortcut, which the inbox has.
        ...(actions.development ? [{ role: "toggleDevTools", accelerator: "F12" } as const] : []),
      ],
    },
    {
      label: "&Engine",
      submenu: [
        { label: "Start", click: () => void actions.engine("start") },
        { label: "Restart", click: () => void actions.engine("restart") },
        { label: "Stop", click: () => void actions.engine("stop") },
        { type: "separator" },
        { label: "Open in Browser", click: () => void actions.openInBrowser() },
        { label: "Data Directory…", click: () => void actions.chooseRoot() },
        { label: "Open Logs", click: () => void actions.openLogs() },
        { label: "Export Diagnostics", click: () => void actions.exportDiagnostics() },
      ],
    },
    { role: "windowMenu" },
    {
      role: "help",
      submenu: [{ label: "Check for Updates…", click: () => void actions.sayUpdates() }],
    },
  ];
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}
