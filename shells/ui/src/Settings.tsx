// Settings: one section at a time. Those that this daemon does not have are not offered.
import { lazy, Suspense, type ComponentType } from "react";
import { useEndpoint, type Diagnostics, type Flag, type Service } from "./companion.js";
import { AboutSection } from "./settings/About.js";
import { AppearanceSection } from "./settings/Appearance.js";
import { ConfigSection } from "./settings/Config.js";
import { ModelsSection } from "./settings/Models.js";

const PermissionsSection = lazy(() => import("./settings/Permissions.js"));
const ServicesSection = lazy(() => import("./settings/Services.js"));
const FlagsSection = lazy(() => import("./settings/Flags.js"));
const DiagnosticsSection = lazy(() => import("./settings/Diagnostics.js"));
const BrowsersSection = lazy(() => import("./settings/Browsers.js"));

export default function Settings({ section }: { section: string }) {
  const services = useEndpoint<Service[]>("/api/services");
  const flags = useEndpoint<Flag[]>("/api/flags");
  const diagnostics = useEndpoint<Diagnostics[]>("/api/diagnostics");
  const browsers = useEndpoint<unknown[]>("/api/handoff");
  const sections: [string, string, ComponentType, boolean][] = [
    ["models", "Models and keys", ModelsSection, true],
    ["permissions", "Permissions", PermissionsSection, true],
    ["config", "Directories and limits", ConfigSection, true],
    ["appearance", "Appearance", AppearanceSection, true],
    ["services", "Services", ServicesSection, services.data !== null],
    ["flags", "Features", FlagsSection, flags.data !== null],
    ["browsers", "Other browsers", BrowsersSection, browsers.data !== null],
    ["diagnostics", "Diagnostics", DiagnosticsSection, diagnostics.data !== null],
    ["about", "About", AboutSection, true],
  ];
  const here = sections.find(([id]) => id === section) ?? sections[0];
  const Section = here?.[2] ?? AboutSection;
  return (
    <div className="page-scroller" tabIndex={0} role="region" aria-label="Settings">
      <div className="page settings">
        <h1>Settings</h1>
        <nav aria-label="Settings" className="settings-nav">
          {sections
            .filter(([id, , , there]) => there || id === section)
            .map(([id, label]) => (
              <a key={id} href={`#/settings/${id}`} aria-current={id === here?.[0] ? "page" : undefined}>
                {label}
              </a>
            ))}
        </nav>
        <Suspense fallback={<p className="quiet">Loading…</p>}>
          <Section />
        </Suspense>
      </div>
    </div>
  );
}
