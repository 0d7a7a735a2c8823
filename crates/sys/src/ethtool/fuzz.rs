//! What the fuzz targets call: the kernel's answers as bytes.

use hftune_model::ethtool::{
    Channels, Coalesce, Eee, FeatureChange, Features, LinkModes, LinkState, Pause, PauseFrames,
    PrivateFlags, Rings, TimeStamping,
};

use super::wire::{Attributes, Message, messages as messages_of, parts};
use super::{Change, Names, Request, StringSet, parse_strings};

/// A datagram, and what its messages would be as the answer to each request.
pub fn messages(datagram: &[u8]) {
    let _ = messages_of(datagram, 1);
    for part in parts(datagram).unwrap_or_default() {
        let _ = part.command();
        if let Ok(attributes) = part.attributes() {
            answers(&attributes);
        }
    }
    for message in messages_of(datagram, 0).unwrap_or_default() {
        if let Message::Answer(attributes) = message {
            answers(&attributes);
        }
    }
    if let Ok(attributes) = Attributes::parse(datagram) {
        answers(&attributes);
    }
}

fn answers(attributes: &Attributes<'_>) {
    let names = |set| {
        (
            set,
            vec!["first".to_owned(), String::new(), "third".to_owned()],
        )
    };
    let names = Names::from([
        names(StringSet::Features),
        names(StringSet::LinkModes),
        names(StringSet::TimeStamping),
        names(StringSet::TxTypes),
        names(StringSet::RxFilters),
    ]);
    let _ = Channels::parse(attributes, &names);
    let _ = Coalesce::parse(attributes, &names);
    let _ = Eee::parse(attributes, &names);
    let _ = Features::parse(attributes, &names);
    let _ = FeatureChange::refused(attributes, &names);
    let _ = LinkModes::parse(attributes, &names);
    let _ = LinkState::parse(attributes, &names);
    let _ = Pause::parse(attributes, &names);
    let _ = PauseFrames::parse(attributes, &names);
    let _ = PrivateFlags::parse(attributes, &names);
    let _ = Rings::parse(attributes, &names);
    let _ = TimeStamping::parse(attributes, &names);
    let _ = parse_strings(attributes, StringSet::Features);
}
