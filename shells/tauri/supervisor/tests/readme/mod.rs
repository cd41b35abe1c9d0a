use aster_supervisor::{Lending, Supervisor, Tool};
use serde_json::json;

pub fn lend(supervisor: &Supervisor) -> Lending {
    let open_tab = Tool::new("open_tab", "Open a page in a new tab.", |arguments, context| async move {
        let url = arguments["url"].as_str().ok_or("there is no url")?.to_owned();
        context.progress("opening", None);
        println!("here the app opens {url}");
        Ok(json!({ "opened": url }))
    });
    let parameters = json!({ "type": "object", "properties": { "url": { "type": "string" } }, "required": ["url"] });
    supervisor.lend("browser", vec![open_tab.parameters(parameters).risk("low")], false)
}
