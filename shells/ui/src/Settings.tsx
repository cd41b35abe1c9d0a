// Settings: one section at a time. Sections that this daemon does not have are not offered.
import type { ComponentType } from "react";
import { texts } from "./messages.js";
import { PageScroller } from "./PageScroller.js";
import McpSection from "./settings/mcp/Section.js";
import PermissionsSection from "./settings/Permissions.js";
import ServicesSection from "./settings/Services.js";
import FlagsSection from "./settings/Flags.js";
import DiagnosticsSection from "./settings/Diagnostics.js";
import BrowsersSection from "./settings/Browsers.js";
import { AboutSection } from "./settings/About.js";
import { AppearanceSection } from "./settings/Appearance.js";
import { ConfigSection } from "./settings/Config.js";
import { ModelsSection } from "./settings/Models.js";

const SECTIONS: [string, string, ComponentType<{ item: string | null }>][] = [
  ["models", texts.settings.sections.models, ModelsSection],
  ["permissions", texts.settings.sections.permissions, PermissionsSection],
  ["mcp", texts.settings.sections.mcp, McpSection],
  ["config", texts.settings.sections.config, ConfigSection],
  ["appearance", texts.settings.sections.appearance, AppearanceSection],
  ["services", texts.settings.sections.services, ServicesSection],
  ["flags", texts.settings.sections.flags, FlagsSection],
  ["browsers", texts.settings.sections.browsers, BrowsersSection],
  ["diagnostics", texts.settings.sections.diagnostics, DiagnosticsSection],
  ["about", texts.settings.sections.about, AboutSection],
];

/** On a narrow page the sections are in one row, of which only a part is visible. */
function intoView(link: HTMLElement | null): void {
  const row = link?.parentElement;
  if (link && row) row.scrollLeft = link.offsetLeft - row.offsetLeft - (row.clientWidth - link.clientWidth) / 2;
}

/** `item`: the thing of the section that is shown on its own page. */
export default function Settings({ section, item }: { section: string; item: string | null }) {
  const here = SECTIONS.find(([id]) => id === section) ?? SECTIONS[0];
  const Section = here?.[2] ?? AboutSection;
  const place = [here?.[0] ?? "", ...(item === null ? [] : [item])].join("/");
  return (
    <PageScroller key={place} name={`settings/${place}`} label={texts.pages.settings}>
      <div className="page settings">
        <h1>{texts.pages.settings}</h1>
        <nav aria-label={texts.pages.settings} className="settings-nav">
          {SECTIONS.map(([id, label]) => (
            <a
              key={id}
              ref={id === here?.[0] ? intoView : null}
              href={`#/settings/${id}`}
              aria-current={id === here?.[0] ? "page" : undefined}
            >
              {label}
            </a>
          ))}
        </nav>
        <div className="settings-section">
          <Section item={item} />
        </div>
      </div>
    </PageScroller>
  );
}
