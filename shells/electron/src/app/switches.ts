// Settings of the app that can be switched in the menu and in the tray.
import type { MenuItemConstructorOptions } from "electron";
import type { Actions } from "./actions.js";

export interface Switches {
  notifications: boolean;
  start_on_login: boolean;
}

export function switches({ notifications, start_on_login }: Switches, actions: Actions): MenuItemConstructorOptions[] {
  return [
    {
      label: "Notifications",
      type: "checkbox",
      checked: notifications,
      click: ({ checked }) => {
        actions.setNotifications(checked);
      },
    },
    {
      label: "Start on Login",
      type: "checkbox",
      checked: start_on_login,
      click: ({ checked }) => {
        actions.setStartOnLogin(checked);
      },
    },
  ];
}
