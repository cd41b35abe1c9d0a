// Checks for a newer version with Electron's updater if one is configured; otherwise says that there is none.
import { app, autoUpdater } from "electron";

export interface UpdateAnswer {
  supported: boolean;
  message?: string;
}

export async function checkForUpdates(feed: string | null): Promise<UpdateAnswer> {
  if (feed === null) return { supported: false, message: "This build has no place to look for updates." };
  if (process.platform === "linux")
    return { supported: false, message: "On Linux updates come the way the app came: by its package." };
  if (!app.isPackaged) return { supported: false, message: "Only the packaged app can be updated." };
  autoUpdater.setFeedURL({ url: feed });
  return new Promise((resolve) => {
    const over = (message: string): void => {
      for (const event of ["update-available", "update-not-available", "error"]) autoUpdater.removeAllListeners(event);
      resolve({ supported: true, message });
    };
    autoUpdater.on("update-available", () => {
      over("There is a newer version. It is being fetched, and is there after the next start.");
    });
    autoUpdater.on("update-not-available", () => {
      over("This is the newest version.");
    });
    autoUpdater.on("error", (cause) => {
      over(`The check did not work: ${cause.message}`);
    });
    autoUpdater.checkForUpdates();
  });
}
