//! Reading with a memory: within one pass nothing is read twice, and all parts of the pass see the same state.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;

use hftune_model::ethtool::Port;
use hftune_model::{Error, Kind, Result};

use crate::Root;

/// Reads files below a root, each one once. A new reader sees new state.
///
/// Paths are remembered by their bytes, since a `Path` is hashed part by part and there may be thousands.
#[derive(Debug)]
pub struct Reader<'r> {
    root: &'r Root,
    texts: RefCell<HashMap<OsString, Result<Rc<str>>>>,
    lists: RefCell<HashMap<OsString, Result<Rc<[String]>>>>,
    links: RefCell<HashMap<OsString, Option<Rc<str>>>>,
    ports: OnceCell<BTreeMap<String, Port>>,
}

impl<'r> Reader<'r> {
    /// A reader that has read nothing yet.
    pub fn new(root: &'r Root) -> Self {
        Self {
            root,
            texts: RefCell::default(),
            lists: RefCell::default(),
            links: RefCell::default(),
            ports: OnceCell::new(),
        }
    }

    /// The root below which it reads.
    pub fn root(&self) -> &'r Root {
        self.root
    }

    /// Remembers what the drivers of network ports told, by name.
    pub fn keep_ports(&self, ports: BTreeMap<String, Port>) {
        // The first answer stands, as for files.
        let _ = self.ports.set(ports);
    }

    /// What the driver of a port told; `None` where nobody asked it.
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.get()?.get(name)
    }

    /// The text of a file.
    pub fn text(&self, path: impl AsRef<Path>) -> Result<Rc<str>> {
        let path = path.as_ref();
        if let Some(known) = self.texts.borrow().get(path.as_os_str()) {
            return known.clone();
        }
        let text = self.root.read_text(path).map(Rc::from);
        self.texts
            .borrow_mut()
            .insert(path.as_os_str().to_owned(), text.clone());
        text
    }

    /// The text of a file that is large and asked for once: it is not remembered.
    pub fn text_once(&self, path: impl AsRef<Path>) -> Result<String> {
        self.root.read_text(path)
    }

    /// The permission bits of a file whose text is read with them and remembered; `None` where the text was read before.
    pub fn mode_with_text(&self, path: impl AsRef<Path>) -> Option<u32> {
        let path = path.as_ref();
        if self.texts.borrow().contains_key(path.as_os_str()) {
            return None;
        }
        let (text, mode) = match self.root.read_text_and_mode(path) {
            Ok((text, mode)) => (Ok(Rc::from(text)), Some(mode)),
            Err(e) => (Err(e), None),
        };
        self.texts
            .borrow_mut()
            .insert(path.as_os_str().to_owned(), text);
        mode
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
        if let Some(known) = self.lists.borrow().get(path.as_os_str()) {
            return known.clone();
        }
        let names = self.root.list(path).map(Rc::from);
        self.lists
            .borrow_mut()
            .insert(path.as_os_str().to_owned(), names.clone());
        names
    }

    /// What a symbolic link points to, or `None` where there is no link of that name.
    pub fn link_target(&self, path: impl AsRef<Path>) -> Option<Rc<str>> {
        let path = path.as_ref();
        if let Some(known) = self.links.borrow().get(path.as_os_str()) {
            return known.clone();
        }
        let target = self.root.link_target(path).map(Rc::from);
        self.links
            .borrow_mut()
            .insert(path.as_os_str().to_owned(), target.clone());
        target
    }
}
