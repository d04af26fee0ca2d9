//! The template as a tree that knows its lines.
//!
//! Short forms of intrinsic functions become long ones here (`!Ref X` is `{Ref: X}`, `!Sub X` is
//! `{"Fn::Sub": X}`), so that all that follows knows one form only. A template written as JSON is
//! read the same way, JSON being YAML.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

/// How many lists and mappings may lie within each other. No template needs a tenth of it.
const DEEPEST: usize = 100;

/// A value of the template.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// The three shapes of a value. Scalars keep their text as written: what it means depends on
/// the property.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One `key: value` of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) node: Node,
}

/// A place where the text is no template, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Node {
    /// Reads a template's text. All faults that can be told apart are reported together.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let mut builder = Builder::default();
        // Event by event: the parser's own `load` calls itself for each level, as does much that follows.
        for event in Parser::new_from_str(text) {
            match event {
                Ok((event, span)) => builder.event(event, span),
                Err(error) => {
                    builder.fault(error.marker().line(), error.info());
                    break;
                }
            }
            if builder.open.len() > DEEPEST {
                builder.fault(builder.open[DEEPEST].node.line, "lists and mappings lie more than 100 deep here");
                break;
            }
        }
        builder.finish()
    }

    /// The value under `key`, if this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The value at the end of a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a mapping; of anything else none.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; of anything else none.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

/// Builds the tree from the parser's events.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    faults: Vec<Fault>,
}

/// A list or mapping that is not at its end yet.
struct Open {
    node: Node,
    tag: Option<String>,
    key: Option<(String, usize)>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, _, tag) => {
                let value = scalar(text, style);
                self.place(tagged(Node { line, value }, function_of(tag)));
            }
            Event::SequenceStart(_, tag) => self.open(line, Value::List(Vec::new()), tag),
            Event::MappingStart(_, tag) => self.open(line, Value::Map(Vec::new()), tag),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(_) => {
                self.fault(line, "CloudFormation takes no YAML aliases (`*name`)");
                let value = Value::Null;
                self.place(Node { line, value });
            }
            _ => {}
        }
    }

    fn fault(&mut self, line: usize, message: &str) {
        let message = message.to_owned();
        self.faults.push(Fault { line, message });
    }

    fn open(&mut self, line: usize, value: Value, tag: Option<Cow<'_, Tag>>) {
        let node = Node { line, value };
        let (tag, key) = (function_of(tag), None);
        self.open.push(Open { node, tag, key });
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.place(tagged(open.node, open.tag));
        }
    }

    /// Puts a finished node where it belongs: a list's next item, a mapping's next key or the
    /// value of the key before it, or the root.
    fn place(&mut self, node: Node) {
        let Some(parent) = self.open.last_mut() else {
            if self.root.is_some() {
                self.fault(node.line, "a template is one YAML document");
            }
            self.root.get_or_insert(node);
            return;
        };
        match &mut parent.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match parent.key.take() {
                None => {
                    let line = node.line;
                    let key = node.text().map(str::to_owned);
                    let twice = entries.iter().find(|entry| Some(&entry.key) == key.as_ref());
                    let message = match (&key, twice) {
                        (None, _) => Some(String::from("a key must be plain text")),
                        (Some(key), Some(first)) => Some(format!("`{key}` stands on line {} already", first.line)),
                        (Some(_), None) => None,
                    };
                    parent.key = Some((key.unwrap_or_default(), line));
                    if let Some(message) = message {
                        self.fault(line, &message);
                    }
                }
                Some((key, line)) => entries.push(Entry { key, line, node }),
            },
            Value::Null | Value::Scalar(_) => {}
        }
    }

    fn finish(self) -> Result<Node, Vec<Fault>> {
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        self.root.ok_or_else(|| {
            let message = String::from("the template is empty");
            vec![Fault { line: 1, message }]
        })
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    match (style, text.as_ref()) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        _ => Value::Scalar(text.into_owned()),
    }
}

/// The long name of the intrinsic function that a tag stands for.
fn function_of(tag: Option<Cow<'_, Tag>>) -> Option<String> {
    let tag = tag.filter(|tag| tag.handle == "!")?;
    match tag.suffix.as_str() {
        "" => None,
        "Ref" | "Condition" => Some(tag.suffix.clone()),
        name => Some(format!("Fn::{name}")),
    }
}

fn tagged(node: Node, function: Option<String>) -> Node {
    let line = node.line;
    match function {
        None => node,
        Some(key) => Node { line, value: Value::Map(vec![Entry { key, line, node }]) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (usize, String) {
        let mut faults = Node::parse(text).expect_err("no fault found");
        let Fault { line, message } = faults.remove(0);
        (line, message)
    }

    #[test]
    fn short_forms_become_long_ones() {
        let root = Node::parse("a: !Ref X\nb: !GetAtt [X, Arn]\nc: !Sub 'x${Y}'\n").unwrap();
        assert_eq!(root.at(&["a", "Ref"]).unwrap().text(), Some("X"));
        assert_eq!(root.at(&["b", "Fn::GetAtt"]).unwrap().items().len(), 2);
        assert_eq!(root.at(&["c", "Fn::Sub"]).unwrap().text(), Some("x${Y}"));
    }

    #[test]
    fn what_lies_too_deep_is_refused_with_its_line() {
        let deep = |levels: usize| format!("a:\n  {}1\n", "- ".repeat(levels));
        assert!(Node::parse(&deep(99)).is_ok());
        let too_deep = (2, "lists and mappings lie more than 100 deep here".to_owned());
        assert_eq!(fault(&deep(100)), too_deep);
        assert_eq!(fault(&deep(100_000)), too_deep);
    }

    #[test]
    fn scalars_keep_their_text_and_their_line() {
        let root = Node::parse("a:\n  b: 007\n  c: '~'\n  d: ~\n").unwrap();
        assert_eq!(root.at(&["a", "b"]).unwrap().text(), Some("007"));
        assert_eq!(root.at(&["a", "b"]).unwrap().line, 2);
        assert_eq!(root.at(&["a", "c"]).unwrap().text(), Some("~"));
        assert!(matches!(root.at(&["a", "d"]).unwrap().value, Value::Null));
    }

    #[test]
    fn a_template_may_be_json() {
        let root = Node::parse(r#"{"a": {"Ref": "X"}, "n": 3}"#).unwrap();
        assert_eq!(root.at(&["a", "Ref"]).unwrap().text(), Some("X"));
        assert_eq!(root.get("n").unwrap().text(), Some("3"));
    }

    #[test]
    fn malformed_text_is_reported_with_its_line() {
        assert_eq!(fault("a: 1\nb: [1, 2\nc: 3\n").0, 3);
    }

    #[test]
    fn a_key_that_stands_twice_is_reported() {
        let (line, message) = fault("a: 1\nb: 2\na: 3\n");
        assert_eq!((line, message.as_str()), (3, "`a` stands on line 1 already"));
    }

    #[test]
    fn aliases_are_refused_as_cloudformation_does() {
        assert!(fault("a: &x 1\nb: *x\n").1.contains("aliases"));
    }

    #[test]
    fn an_empty_template_is_refused() {
        assert_eq!(fault("").1, "the template is empty");
    }
}
