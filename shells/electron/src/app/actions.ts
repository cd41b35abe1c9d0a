// What the menu and the tray offer.
export interface Actions {
  readonly name: string;
  readonly development: boolean;
  show(place?: string): void;
  toggleQuick(): void;
  engine(what: "start" | "stop" | "restart"): Promise<void>;
  chooseRoot(): Promise<void>;
  openLogs(): Promise<void>;
  exportDiagnostics(): Promise<void>;
  /** Opens this page in the system's browser, signed in by a one-time link. */
  openInBrowser(): Promise<void>;
  sayUpdates(): Promise<void>;
  setNotifications(on: boolean): void;
  setStartOnLogin(on: boolean): void;
  quit(): void;
}
