//! The title and the text of a message, from templates (minijinja) that users may replace.
//!
//! What is printed is escaped for the medium; a template's own words are not. Two filters help to write for any medium:
//! `name` makes a name stand out, and `link("label")` makes a link of an alert's or event's `link`.

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, Output, UndefinedBehavior};

use super::escape::Medium;
use super::message::{Body, Message};
use super::samples;
use super::view::view;

/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 16 * 1024;

/// The most characters of a title, in UTF-16 units.
pub(super) const MAX_TITLE: usize = 250;

/// The most characters of a text, in UTF-16 units.
const MAX_TEXT: usize = 20_000;

/// What one rendering may cost: instructions, and for each 64 bytes it makes as much as for one. So the work is bounded,
/// and what it makes is at most some 6 MB.
const FUEL: u64 = 100_000;

/// Templates that take the place of adsum's own.
///
/// Those about alerts see `kind` (`firing`, `repeated`, `resolved`), `rule`, `severity`, `count`, `at`, `delivery` and
/// `alerts`, each with `id, channel, condition, value, bound, user, since, ended, gap{reason, since}, certainty,
/// because, link`; `since` and `ended` have `text`, `not_before` and `not_after`.
///
/// Those about presence events see `kind`, `what`, `channel`, `user`, `when` (a window likewise), `occupancy`, `state`,
/// `link`, `at` and `delivery`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// The title of messages about alerts: one line.
    pub title: Option<String>,
    /// The text of messages about alerts.
    pub text: Option<String>,
    /// The title of messages about presence events: one line.
    pub event_title: Option<String>,
    /// The text of messages about presence events.
    pub event_text: Option<String>,
}

/// A template is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template {name}: {what}")]
pub struct TemplateError {
    /// Which: a field of [`Texts`].
    pub name: &'static str,
    /// What is wrong with it, and in which line.
    pub what: String,
}

/// A title and a text, escaped for their medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) title: String,
    pub(super) text: String,
}

/// The templates of one notifier, checked.
pub(super) struct Template {
    medium: Medium,
    given: Environment<'static>,
    ours: Environment<'static>,
}

const TITLE: &str = "title";
const TEXT: &str = "text";
const EVENT_TITLE: &str = "event_title";
const EVENT_TEXT: &str = "event_text";

/// adsum's own templates.
const OURS: [(&str, &str); 4] = [
    (TITLE, include_str!("texts/title.txt")),
    (TEXT, include_str!("texts/text.txt")),
    (EVENT_TITLE, include_str!("texts/event_title.txt")),
    (EVENT_TEXT, include_str!("texts/event_text.txt")),
];

impl Template {
    /// Checks every template: it compiles, names only what exists, and renders messages of every kind.
    pub(super) fn new(texts: &Texts, medium: Medium) -> Result<Self, TemplateError> {
        let mut ours = environment(medium);
        let mut given = environment(medium);
        for (name, source) in OURS {
            ours.add_template(name, source).map_err(|error| wrong(name, &error))?;
            let replaced = match name {
                TITLE => &texts.title,
                TEXT => &texts.text,
                EVENT_TITLE => &texts.event_title,
                _ => &texts.event_text,
            };
            let source = replaced.clone().unwrap_or_else(|| source.to_owned());
            if source.len() > MAX_TEMPLATE {
                let what = format!("longer than {MAX_TEMPLATE} bytes");
                return Err(TemplateError { name, what });
            }
            given.add_template_owned(name, source).map_err(|error| wrong(name, &error))?;
        }
        let template = Self { medium, given, ours };
        template.check()?;
        Ok(template)
    }

    fn check(&self) -> Result<(), TemplateError> {
        let samples = samples::messages();
        for (name, _) in OURS {
            let views: Vec<Value> = samples
                .iter()
                .filter(|message| names(message).contains(&name))
                .map(|message| view(message, self.medium))
                .collect();
            let template = self.given.get_template(name).map_err(|error| wrong(name, &error))?;
            let globals: Vec<&str> = self.given.globals().map(|(name, _)| name).collect();
            let unknown = template
                .undeclared_variables(true)
                .into_iter()
                .find(|path| !globals.contains(&path.as_str()) && !views.iter().any(|view| has(view, path)));
            if let Some(path) = unknown {
                return Err(TemplateError { name, what: format!("there is no {path}") });
            }
            for view in views {
                template.render(view).map_err(|error| wrong(name, &error))?;
            }
        }
        Ok(())
    }

    /// The title and the text of `message`. Where a template of the user fails after all, adsum's own takes its place: a
    /// message in other words is better than none.
    pub(super) fn render(&self, message: &Message) -> Rendered {
        let view = view(message, self.medium);
        let [title, text] = names(message).map(|name| self.one(name, &view));
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        Rendered { title: self.medium.cut(&title, MAX_TITLE), text: self.medium.cut(text.trim(), MAX_TEXT) }
    }

    fn one(&self, name: &str, view: &Value) -> String {
        let render = |from: &Environment<'_>| from.get_template(name)?.render(view);
        let given = render(&self.given).inspect_err(|error| {
            tracing::warn!(template = name, %error, "a template failed; adsum's own takes its place");
        });
        given.or_else(|_| render(&self.ours)).unwrap_or_else(|_| "adsum".to_owned())
    }
}

/// The templates for a message: of the title and of the text.
fn names(message: &Message) -> [&'static str; 2] {
    match message.body {
        Body::Event(_) => [EVENT_TITLE, EVENT_TEXT],
        _ => [TITLE, TEXT],
    }
}

fn environment(medium: Medium) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("medium".into()));
    environment.set_formatter(move |out, _, value| write(out, medium, value));
    // These switch escaping off, or escape for HTML.
    for filter in ["safe", "e", "escape"] {
        environment.remove_filter(filter);
    }
    environment.add_filter("name", move |value: &Value| {
        Value::from_safe_string(medium.name(&escaped(medium, value)))
    });
    environment.add_filter("link", move |value: &Value, label: &str| {
        Value::from_safe_string(medium.link(&escaped(medium, value), &medium.escape(label)))
    });
    environment
}

fn write(out: &mut Output, medium: Medium, value: &Value) -> Result<(), Error> {
    Ok(out.write_str(&escaped(medium, value))?)
}

fn escaped(medium: Medium, value: &Value) -> String {
    match value.as_str() {
        Some(text) if value.is_safe() => text.to_owned(),
        Some(text) => medium.escape(text),
        None => medium.escape(&value.to_string()),
    }
}

/// Whether `view` has what `path` (`event.user`) names.
fn has(view: &Value, path: &str) -> bool {
    let mut value = view.clone();
    path.split('.').all(|part| match value.get_attr(part) {
        Ok(next) if !next.is_undefined() => {
            value = next;
            true
        }
        _ => false,
    })
}

fn wrong(name: &'static str, error: &Error) -> TemplateError {
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    TemplateError { name, what: super::escape::visible(&format!("{what}{line}"), 300) }
}
