//! The journal without what files held before: enough for a plan, and nothing to undo with.

use std::path::Path;

use hftune_model::setting::Artifact;
use hftune_model::transaction::{After, Content, Outcome, Output, Record, State};

use crate::{journal, secrets};

/// The text of a journal, in which old contents are empty and new ones are blanked as the files themselves are.
///
/// A line that cannot be understood remains one that cannot.
pub fn journal(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let redacted = std::str::from_utf8(line)
            .ok()
            .and_then(|line| journal::rewritten(line.trim_ascii_end(), redacted));
        match redacted {
            Some(line) => out.extend(line.into_bytes()),
            None => out.extend(vec![b'x'; line.trim_ascii_end().len()]),
        }
        if line.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
    out
}

fn redacted(record: Record) -> Record {
    match record {
        Record::Begin {
            journal,
            time,
            version,
            profile,
            boot_id,
            mut changes,
        } => {
            for change in &mut changes {
                change.from = words(&change.from);
                change.to = words(&change.to);
            }
            Record::Begin {
                journal,
                time,
                version,
                profile,
                boot_id,
                changes,
            }
        }
        Record::Before {
            step,
            ids,
            after,
            before,
            directories,
        } => {
            let path = match &after {
                After::Set(Artifact::Kernel { path, .. }) => path.clone(),
                _ => "/".into(),
            };
            Record::Before {
                step,
                ids,
                after: wanted(after),
                before: state(&path, before),
                directories,
            }
        }
        Record::Done {
            step,
            outcome,
            outputs,
        } => Record::Done {
            step,
            outcome: said(outcome),
            outputs: outputs.into_iter().map(output).collect(),
        },
        // Times and numbers.
        other @ (Record::End { .. } | Record::Undone { .. } | Record::RolledBack { .. }) => other,
    }
}

fn wanted(after: After) -> After {
    match after {
        After::Set(Artifact::File {
            path,
            content,
            mode,
        }) => After::Set(Artifact::File {
            content: blank(&path, &content),
            path,
            mode,
        }),
        After::Set(Artifact::Kernel {
            path,
            value,
            compare,
        }) => After::Set(Artifact::Kernel {
            value: blank(&path, &value),
            path,
            compare,
        }),
        After::Set(Artifact::Arguments {
            program,
            add,
            remove,
        }) => After::Set(Artifact::Arguments {
            program,
            add: all_words(&add),
            remove: all_words(&remove),
        }),
        After::Set(Artifact::Variable { path, name, value }) => After::Set(Artifact::Variable {
            value: words(&value),
            path,
            name,
        }),
        After::Set(Artifact::Made {
            program,
            args,
            inputs,
            outputs,
            stale,
            in_tree,
        }) => After::Set(Artifact::Made {
            program,
            args,
            inputs,
            outputs,
            stale,
            in_tree: in_tree
                .into_iter()
                .map(|(path, content)| {
                    let content = blank(&path, &content);
                    (path, content)
                })
                .collect(),
        }),
        // Names, ids and CPUs.
        After::Set(
            other @ (Artifact::Link { .. }
            | Artifact::NoFile { .. }
            | Artifact::Port { .. }
            | Artifact::Thread { .. }
            | Artifact::Packages { .. }
            | Artifact::Unit { .. }),
        ) => After::Set(other),
        After::Restore {
            target,
            state: before,
        } => {
            let path = target.split_once(':').map_or("/", |(_, name)| name);
            After::Restore {
                state: state(Path::new(path), before),
                target,
            }
        }
    }
}

fn state(path: &Path, state: State) -> State {
    match state {
        State::File { mode, uid, gid, .. } => State::File {
            content: Content::Text(String::new()),
            mode,
            uid,
            gid,
            xattrs: Vec::new(),
        },
        State::Kernel { value, text } => State::Kernel {
            value: blank(path, &value),
            text: blank(path, &text),
        },
        State::Variable { raw } => State::Variable { raw: words(&raw) },
        State::Outputs { files } => State::Outputs {
            files: files.into_iter().map(output).collect(),
        },
        State::Arguments { present, absent } => State::Arguments {
            present: all_words(&present),
            absent: all_words(&absent),
        },
        State::Absent
        | State::Link { .. }
        | State::Port { .. }
        | State::Thread { .. }
        | State::Packages { .. }
        | State::Unit { .. } => state,
    }
}

fn output(output: Output) -> Output {
    Output {
        state: state(&output.path, output.state),
        path: output.path,
    }
}

/// What the kernel or a program said.
fn said(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Made => Outcome::Made,
        Outcome::Rounded { got } => Outcome::Rounded { got: words(&got) },
        Outcome::Refused { why } => Outcome::Refused { why: words(&why) },
        Outcome::Untried { why } => Outcome::Untried { why: words(&why) },
        Outcome::Failed { why } => Outcome::Failed { why: words(&why) },
    }
}

fn words(text: &str) -> String {
    blank(Path::new("/"), text)
}

fn all_words(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| words(text)).collect()
}

fn blank(path: &Path, text: &str) -> String {
    let (bytes, _) = secrets::blank(path, text.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn old_contents_are_empty_and_damage_stays_damage() {
        let journal = concat!(
            r#"{"record":"before","step":0,"ids":["a"],"after":{"after":"set","artifact":"file","path":"/etc/x","#,
            r#""content":"token=CANARY a=1\n","mode":420},"before":{"state":"file","content":{"text":"CANARY"},"#,
            r#""mode":420,"uid":0,"gid":0,"xattrs":[["user.x",{"text":"CANARY"}]]},"directories":[]}"#,
            "\n",
            r#"{"record":"done","step":0,"outcome":{"outcome":"refused","why":"password=CANARY"},"outputs":"#,
            r#"[{"path":"/boot/x","state":{"state":"file","content":{"hex":"00"},"mode":1,"uid":0,"gid":0,"xattrs":[]}}]}"#,
            "\nCANARY damage\n{\"record\":\"CANARY torn",
        );
        let text = String::from_utf8(super::journal(journal.as_bytes())).expect("text");
        assert!(!text.contains("CANARY"), "{text}");
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(lines.len(), 4);
        assert!(
            lines[0].contains("token=xxxxxx a=1") && lines[0].contains("\"text\":\"\""),
            "{text}"
        );
        assert!(
            lines[1].contains("password=xxxxxx") && !lines[1].contains("00"),
            "{text}"
        );
        assert_eq!((lines[2], lines[3].len()), ("xxxxxxxxxxxxx", 22));
    }
}
