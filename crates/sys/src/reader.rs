//! Reading with a memory: within one pass nothing is read twice, and all parts of the pass see the same state.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hftune_model::{Error, Kind, Result};

use crate::Root;

/// Reads files below a root, each one once. A new reader sees new state.
#[derive(Debug)]
pub struct Reader<'r> {
    root: &'r Root,
    texts: RefCell<HashMap<PathBuf, Result<Rc<str>>>>,
    lists: RefCell<HashMap<PathBuf, Result<Rc<[String]>>>>,
}

impl<'r> Reader<'r> {
    /// A reader that has read nothing yet.
    pub fn new(root: &'r Root) -> Self {
        Self {
            root,
            texts: RefCell::default(),
            lists: RefCell::default(),
        }
    }

    /// The root below which it reads.
    pub fn root(&self) -> &'r Root {
        self.root
    }

    /// The text of a file.
    pub fn text(&self, path: impl AsRef<Path>) -> Result<Rc<str>> {
        let path = path.as_ref();
        if let Some(known) = self.texts.borrow().get(path) {
            return known.clone();
        }
        let text = self.root.read_text(path).map(Rc::from);
        self.texts
            .borrow_mut()
            .insert(path.to_owned(), text.clone());
        text
    }

    /// The text of a file without white space around it, or `None` where it does not exist.
    pub fn value(&self, path: impl AsRef<Path>) -> Result<Option<String>> {
        match self.text(path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(e) if e.kind == Kind::Missing => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// A value parsed; the error names the file and the text.
    pub fn parsed<T>(
        &self,
        path: impl AsRef<Path>,
        parse: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        let path = path.as_ref();
        match self.value(path)? {
            None => Ok(None),
            Some(text) => parse(&text).map(Some).map_err(|e| Error {
                path: Some(self.root.shown(path)),
                ..e
            }),
        }
    }

    /// The names in a directory, sorted; empty where it does not exist.
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Rc<[String]>> {
        let path = path.as_ref();
        if let Some(known) = self.lists.borrow().get(path) {
            return known.clone();
        }
        let names = self.root.list(path).map(Rc::from);
        self.lists
            .borrow_mut()
            .insert(path.to_owned(), names.clone());
        names
    }
}
