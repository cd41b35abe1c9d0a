import "./theme.js";
import "./style.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.js";
import { watchAttention } from "./attention.js";
import { store } from "./engine.js";
import { redeem } from "./handoff.js";
import { leaveCompositionAlone } from "./keys.js";
import { toast } from "./toasts.js";

leaveCompositionAlone();
watchAttention();

const refused = await redeem();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
if (refused !== null) toast(refused, { kind: "error", seconds: 60 });
void store.start();
