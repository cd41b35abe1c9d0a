// What menu and tray let a person do.
export interface Actions {
  readonly name: string;
  readonly development: boolean;
  show(place?: string): void;
  toggleQuick(): void;
  engine(what: "start" | "stop" | "restart"): Promise<void>;
  chooseRoot(): Promise<void>;
  openLogs(): Promise<void>;
  exportDiagnostics(): Promise<void>;
  /** This page in the system's browser, signed in, once. */
  openInBrowser(): Promise<void>;
  sayUpdates(): Promise<void>;
  setNotifications(on: boolean): void;
  setStartOnLogin(on: boolean): void;
  quit(): void;
}
