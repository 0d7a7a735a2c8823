//! The expressions of the dashboard and of the alert rules.

use anyhow::{Context, Result};
use serde_json::Value;

/// An expression, and what asks it.
pub struct Question {
    /// The title of the panel or the name of the alert.
    pub of: String,
    /// PromQL.
    pub expression: String,
    /// Whether a host that drifted gives it an answer; an alert that is not due has none.
    pub has_an_answer: bool,
}

/// Those of every panel, as they are asked for all hosts.
pub fn of_dashboard(text: &str) -> Result<Vec<Question>> {
    let dashboard: Value = serde_json::from_str(text)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let mut questions = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().context("a panel without a title")?;
        for target in panel["targets"].as_array().context("no targets")? {
            let expression = target["expr"].as_str().context("no expression")?;
            questions.push(Question {
                of: title.to_owned(),
                expression: expression.replace("$instance", ".*"),
                has_an_answer: true,
            });
        }
    }
    Ok(questions)
}

/// Those of the rules, each on a line of its own.
pub fn of_rules(text: &str) -> Vec<Question> {
    let mut name = "";
    let mut questions = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(alert) = line.strip_prefix("- alert: ") {
            name = alert;
        } else if let Some(expression) = line.strip_prefix("expr: ") {
            questions.push(Question {
                of: name.to_owned(),
                expression: expression.to_owned(),
                has_an_answer: name == "HftuneDrift",
            });
        }
    }
    questions
}
