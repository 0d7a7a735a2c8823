//! Blanking what a capture must not hold: passwords, keys and tokens in boot files and in other texts.
//!
//! A blanked value keeps its length and its quotes, so that lines, the fixed size of grubenv and the limits on command
//! lines stay what they are. Where it is unclear what ends a value, more is blanked rather than less.

use std::ops::Range;
use std::path::Path;

/// What stands in place of each character of a secret; of a number, so that it remains one, [`BLANK_DIGIT`].
const BLANK: u8 = b'x';
const BLANK_DIGIT: u8 = b'1';

/// A name that has one of these in it names a secret.
const SECRET_PARTS: [&str; 7] = [
    "passw",
    "passphrase",
    "secret",
    "token",
    "credential",
    "privkey",
    "pbkdf2",
];

/// A name of which a word is one of these names a secret, whatever number is behind it (`WEP_KEY1`).
const SECRET_WORDS: [&str; 4] = ["pw", "pin", "key", "keys"];

/// A name of which a word ends with one of these names a secret (`cifspass`).
const SECRET_ENDINGS: [&str; 4] = ["pass", "passwd", "pwd", "psk"];

/// Words that look like these and are settings of the kernel that hftune or its user needs.
const HARMLESS: [&str; 3] = ["passthrough", "bypass", "kernel.keys"];

/// Words of GRUB that are followed by a secret.
const GRUB_COMMANDS: [&str; 2] = ["password", "password_pbkdf2"];

/// Sections of a NetworkManager connection that are kept (nm-settings-keyfile(5)): those in which no secret has a place.
const KEPT_SECTIONS: [&str; 2] = ["[connection]", "[ethtool]"];

/// What a connection has in its first section, and the section of that name in NetworkManager.conf has not.
const CONNECTION_KEYS: [&[u8]; 4] = [b"id", b"uuid", b"type", b"interface-name"];

/// The content of a file without its secrets, and the names of those that were blanked.
pub fn blank(path: &Path, content: &[u8]) -> (Vec<u8>, Vec<String>) {
    let mut out = content.to_vec();
    let mut names = Vec::new();
    let place = path.to_string_lossy();
    let kernel = place.starts_with("/proc/") || place.starts_with("/sys/");
    if place.ends_with("/mountinfo") {
        mounts(&mut out, &mut names);
        return (out, names);
    }
    if kernel && place != "/proc/cmdline" {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_secret(&name) && !content.is_empty() {
            fill(&mut out, 0..content.len());
            names.push(name.into_owned());
        }
        return (out, names);
    }
    if place.contains("/NetworkManager/") && place.contains("/system-connections/")
        || is_connection(content)
    {
        connection(&mut out, &mut names);
    }
    // A staged deployment of ostree's is no text, but holds texts that end with a zero byte.
    let mut start = 0;
    for text in content.split(|byte| *byte == 0) {
        lines(&mut out, start..start + text.len(), &mut names);
        start += text.len() + 1;
    }
    names.dedup();
    (out, names)
}

/// Blanks the secrets in the lines of a text.
fn lines(out: &mut [u8], text: Range<usize>, names: &mut Vec<String>) {
    let mut start = text.start;
    let mut goes_on = false;
    // Where a value ends that has more than one line.
    let mut blanked = text.start;
    while start < text.end {
        let length = out[start..text.end].iter().position(|byte| *byte == b'\n');
        let end = length.map_or(text.end, |length| start + length);
        goes_on = commands(out, start..end, goes_on, names);
        if blanked < end {
            blanked = assignments(out, blanked.max(start)..end, text.end, names);
        }
        addresses(out, start..end, names);
        start = end + 1;
    }
}

/// Whether a name is that of a secret: `rd.iscsi.password`, `tcp_fastopen_key`, `wifi-sec.psk`.
fn is_secret(name: &str) -> bool {
    let mut name = name.to_ascii_lowercase();
    for word in HARMLESS {
        name = name.replace(word, "");
    }
    SECRET_PARTS.iter().any(|part| name.contains(part))
        || name.split(['.', '_', '-', ':']).any(|word| {
            let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
            SECRET_WORDS.contains(&word)
                || SECRET_ENDINGS.iter().any(|ending| word.ends_with(ending))
        })
}

/// Blanks the words behind GRUB's password commands wherever they stand in a line, and hashes of passwords; also the whole
/// line where the one before it `goes_on` in it. Whether this one goes on in the next.
fn commands(out: &mut [u8], line: Range<usize>, goes_on: bool, names: &mut Vec<String>) -> bool {
    let text = out[line.clone()].to_vec();
    let secret = if goes_on {
        Some((0, "password"))
    } else {
        let hash = "grub.pbkdf2.";
        let hash = find(&text, hash.as_bytes()).map(|at| (at + hash.len(), "grub.pbkdf2"));
        command(&text).or(hash)
    };
    let Some((from, name)) = secret else {
        return false;
    };
    let mut end = text.trim_ascii_end().len().max(from);
    let escaped = text[from..end].ends_with(b"\\");
    if escaped {
        end -= 1;
    } else if let Some(quote) = text[..end].last().filter(|byte| is_quote(**byte))
        && text[..from].split(|byte| byte == quote).count() % 2 == 0
    {
        // It ends a list of arguments that the command stands in.
        end = (end - 1).max(from);
    }
    if fill(out, line.start + from..line.start + end) {
        names.push(name.to_owned());
    }
    escaped
}

/// Where the words behind a password command begin, and its name.
fn command(text: &[u8]) -> Option<(usize, &'static str)> {
    let mut start = 0;
    for word in text.split(|byte| ends_word(*byte)) {
        let end = start + word.len();
        start = end + 1;
        let Some(name) = GRUB_COMMANDS.iter().find(|name| name.as_bytes() == word) else {
            continue;
        };
        let quoted = text.get(end).is_some_and(|byte| is_quote(*byte));
        let after = end + usize::from(quoted);
        let next = skip_blanks(text, after, text.len());
        // The name of a setting, of which `assignments` finds the value.
        if !matches!(text.get(next), Some(b'=' | b':')) {
            return Some((after, name));
        }
    }
    None
}

/// What words of GRUB's are split at: grub-core/script/yylex.l, and quotes.
fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || is_quote(byte) || b";{}()&|".contains(&byte)
}

/// Blanks the values of `name=value`, `name = value`, `"name": value` and `name: value` whose names are those of secrets.
/// A quoted value may end in a later line of the text, which ends at `text_end`. Where the last value ends.
fn assignments(
    out: &mut [u8],
    line: Range<usize>,
    text_end: usize,
    names: &mut Vec<String>,
) -> usize {
    let end = line.end;
    let comment = out[line.clone()].trim_ascii_start().starts_with(b"#");
    let mut at = line.start;
    // The quote that a list of arguments stands in: GRUB_CMDLINE_LINUX="...".
    let mut outer = None;
    while at < end {
        let start = at;
        while at < end && is_name(out[at]) {
            at += 1;
        }
        if at == start {
            outer = match (outer, out[at]) {
                (Some(open), byte) if open == byte && out[at - 1] != b'\\' => None,
                (None, quote @ (b'"' | b'\'')) => Some(quote),
                (outer, _) => outer,
            };
            at += 1;
            continue;
        }
        let name = String::from_utf8_lossy(&out[start..at]).into_owned();
        if !is_secret(&name) {
            continue;
        }
        let mut quoted_name = false;
        let mut value = at;
        if let (Some(open), true) = (outer, value < end)
            && out[value] == open
            && start > line.start
            && out[start - 1] == open
        {
            quoted_name = true;
            value += 1;
        }
        let before = skip_blanks(out, value, end);
        let spaced = before != value;
        match out.get(before) {
            _ if before >= end => break,
            Some(b'=') => value = before + 1,
            // Of a word with a colon only what a colon ends: "name: value", and not the parts of an address.
            Some(b':')
                if quoted_name || out.get(before + 1).is_some_and(u8::is_ascii_whitespace) =>
            {
                value = before + 1;
            }
            _ => continue,
        }
        if quoted_name {
            outer = None;
        }
        let first = skip_blanks(out, value, end);
        let whole_line = outer.is_none() && (spaced || first != value);
        let stop = match string_end(out, first, end) {
            Some(stop) if outer.is_none() => stop,
            None if whole_line && first < end && !is_quote(out[first]) => end,
            _ => value_end(out, first, end, outer),
        };
        let stop = (outer.is_none() && !comment && stop == end)
            .then(|| later_end(out, first, end, text_end))
            .flatten()
            .unwrap_or(stop);
        if fill(out, first..stop) {
            names.push(name);
        }
        at = stop;
    }
    at
}

/// Where a value ends that begins with a quote of which the other one is in a later line.
fn later_end(text: &[u8], start: usize, end: usize, text_end: usize) -> Option<usize> {
    let quote = *text[start..end].first().filter(|byte| is_quote(**byte))?;
    let mut at = start + 1;
    while at < text_end && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (end..text_end).contains(&at).then_some(at + 1)
}

/// Where a string ends that is all of a value, as in JSON and TOML.
fn string_end(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let quote = *text[start..end].first().filter(|byte| is_quote(**byte))?;
    let mut at = start + 1;
    while at < end && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    let after = text.get(at + 1..end)?;
    matches!(
        after.first(),
        None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
    )
    .then_some(at + 1)
}

/// Where the value of an argument ends: at white space outside of its own quotes, or at the quote that all arguments are in.
fn value_end(text: &[u8], start: usize, end: usize, outer: Option<u8>) -> usize {
    let mut inner = None;
    let mut at = start;
    while at < end {
        let byte = text[at];
        let escaped = byte == b'\\' && at + 1 < end && text[at + 1] != b'\n';
        let quote = if escaped { text[at + 1] } else { byte };
        match inner {
            Some(open) if quote == open => inner = None,
            // The outer quote ends the value, even where an inner one was left open.
            _ if !escaped && outer == Some(byte) => return at,
            None if is_quote(quote) => inner = Some(quote),
            None if !escaped && byte.is_ascii_whitespace() => return at,
            _ => {}
        }
        at += if escaped { 2 } else { 1 };
    }
    end
}

/// Blanks user and password in addresses: `http://user:password@host/ks?token=...`, `root=cifs:...@host`,
/// `netroot=iscsi:user:password@host` (dracut.cmdline(7)), `http_proxy=user:password@host`.
fn addresses(out: &mut [u8], line: Range<usize>, names: &mut Vec<String>) {
    let text = out[line.clone()].to_vec();
    let mut start = 0;
    while start < text.len() {
        let length = text[start..]
            .iter()
            .take_while(|byte| !byte.is_ascii_whitespace() && !is_quote(**byte))
            .count();
        let word = &text[start..start + length];
        let mut secret = |range: Range<usize>| {
            if fill(
                out,
                line.start + start + range.start..line.start + start + range.end,
            ) {
                names.push("an address".to_owned());
            }
        };
        let at_sign = word.iter().rposition(|byte| *byte == b'@');
        if let Some(scheme) = find(word, b"://") {
            let rest = scheme + 3;
            if let Some(at_sign) = at_sign.filter(|at_sign| *at_sign > rest) {
                secret(rest..at_sign);
            }
            if let Some(query) = word
                .iter()
                .position(|byte| *byte == b'?')
                .filter(|q| *q > rest)
            {
                secret(query + 1..word.len());
            }
        } else if let Some(at_sign) = at_sign
            && let Some(from) = named_address(&text, start, start + at_sign)
        {
            secret(from - start..at_sign);
        }
        start += length.max(1);
    }
}

/// Where user and password begin in an address without a scheme, by the name before it. The address stands between
/// `start` and `end`, its name maybe before a quote.
fn named_address(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let quotes = text[..start].iter().rev();
    let quotes = quotes
        .take_while(|byte| is_quote(**byte) || **byte == b'\\')
        .count();
    let unquoted = start - quotes;
    let head = if unquoted < start && text[..unquoted].ends_with(b"=") {
        unquoted
    } else {
        start
    };
    let equals = (head.saturating_sub(1)..end).filter(|at| text[*at] == b'=');
    for equals in equals {
        let value = (equals + 1).max(start);
        let colon = text[value..end].iter().position(|byte| *byte == b':');
        let is_named = |name: &str| {
            let from = equals.checked_sub(name.len());
            from.is_some_and(|from| text[from..equals].eq_ignore_ascii_case(name.as_bytes()))
        };
        if is_named("root") {
            return colon.map(|colon| value + colon + 1);
        }
        if is_named("proxy") {
            return colon.map(|_| value);
        }
    }
    None
}

/// Whether a text is a NetworkManager connection: its directory may be a link, and the file then has another path.
fn is_connection(text: &[u8]) -> bool {
    let mut in_section = false;
    let mut found = false;
    for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.starts_with(b"[") {
            in_section = line == b"[connection]";
            found |= in_section;
        } else if in_section
            && let Some(equals) = line.iter().position(|byte| *byte == b'=')
            && CONNECTION_KEYS.contains(&line[..equals].trim_ascii_end())
        {
            return true;
        }
    }
    found
        && text
            .split(|byte| *byte == b'\n')
            .any(|line| line.trim_ascii() == b"[ethtool]")
}

/// Blanks every line of a connection that is not in a kept section, but for the names of sections.
fn connection(out: &mut [u8], names: &mut Vec<String>) {
    let text = out.to_vec();
    let mut kept = false;
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        let words = line.trim_ascii();
        if words.starts_with(b"[") {
            kept = KEPT_SECTIONS
                .iter()
                .any(|section| section.as_bytes() == words);
        } else if !kept && fill(out, start..end) {
            names.push("a connection".to_owned());
        }
        start = end;
    }
}

/// Blanks every mount but that of `/`, by which a container is told from a machine: their sources and options may hold
/// anything (Documentation/filesystems/proc.rst, "/proc/<pid>/mountinfo").
fn mounts(out: &mut [u8], names: &mut Vec<String>) {
    let text = out.to_vec();
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        let mount_point = line.split(u8::is_ascii_whitespace).nth(4);
        if mount_point != Some(b"/") && fill(out, start..end) && names.is_empty() {
            names.push("mounts other than /".to_owned());
        }
        start = end;
    }
}

/// Overwrites all but white space, zero bytes, quotes around it, and the end of the line; whether there was anything.
fn fill(text: &mut [u8], range: Range<usize>) -> bool {
    let value = &mut text[range];
    let quoted = |v: &[u8]| v.len() > 1 && matches!(v[0], b'"' | b'\'') && v[0] == v[v.len() - 1];
    let trimmed = value.trim_ascii_end().len();
    let value = &mut value[..trimmed];
    let value = if quoted(value) {
        &mut value[1..trimmed - 1]
    } else {
        value
    };
    let number = value.iter().all(u8::is_ascii_digit);
    let mut filled = false;
    for byte in value
        .iter_mut()
        .filter(|byte| !byte.is_ascii_whitespace() && **byte != 0)
    {
        filled = true;
        *byte = if number { BLANK_DIGIT } else { BLANK };
    }
    filled
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn skip_blanks(text: &[u8], mut at: usize, end: usize) -> usize {
    while at < end && matches!(text[at], b' ' | b'\t') {
        at += 1;
    }
    at
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blanked(path: &str, text: &str) -> String {
        let (bytes, names) = blank(Path::new(path), text.as_bytes());
        assert_eq!(bytes.len(), text.len(), "the length is kept");
        assert_eq!(names.is_empty(), bytes == text.as_bytes(), "{names:?}");
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn secrets_of_boot_files_are_blanked() {
        for (text, expected) in [
            (
                "root=/dev/sda1 rd.iscsi.password=hunter2 quiet\n",
                "root=/dev/sda1 rd.iscsi.password=xxxxxxx quiet\n",
            ),
            (
                "GRUB_CMDLINE_LINUX=\"rhgb rd.iscsi.in.password=hunter2\" # on\n",
                "GRUB_CMDLINE_LINUX=\"rhgb rd.iscsi.in.password=xxxxxxx\" # on\n",
            ),
            (
                "  linux /vmlinuz a=\"b\" token='two words' isolcpus=2-7\n",
                "  linux /vmlinuz a=\"b\" token='xxx xxxxx' isolcpus=2-7\n",
            ),
            (
                "GRUB_CMDLINE_LINUX=\"a inst.vncpassword=\\\"b c\\\" d\"\n",
                "GRUB_CMDLINE_LINUX=\"a inst.vncpassword=xxx xxx d\"\n",
            ),
            ("pass=ab'c d'ef isolcpus=1\n", "pass=xxxx xxxx isolcpus=1\n"),
            ("pass=a\\ b isolcpus=1\n", "pass=xx x isolcpus=1\n"),
            (
                "  password_pbkdf2 root grub.pbkdf2.sha512.10000.AB\n",
                "  password_pbkdf2 xxxx xxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
            ),
            ("password root secret\n", "password xxxx xxxxxx\n"),
            (
                "GRUB2_PASSWORD=grub.pbkdf2.sha512.1.AB\n",
                "GRUB2_PASSWORD=xxxxxxxxxxxxxxxxxxxxxxx\n",
            ),
            (
                "netroot=iscsi:me:hunter2@10.0.0.1::3260::iqn.x ip=dhcp\n",
                "netroot=iscsi:xxxxxxxxxx@10.0.0.1::3260::iqn.x ip=dhcp\n",
            ),
            (
                "inst.ks=http://me:pw@host/ks?id=5 quiet\n",
                "inst.ks=http://xxxxx@host/ks?xxxx quiet\n",
            ),
            (
                "systemd.setenv=API_TOKEN=abc systemd.set_credential=a:b\n",
                "systemd.setenv=API_TOKEN=xxx systemd.set_credential=xxx\n",
            ),
            ("rd.luks.key=/k:UUID=1\n", "rd.luks.key=xxxxxxxxx\n"),
            (
                "set superusers=\"root\"; password root E01\n",
                "set superusers=\"root\"; password xxxx xxx\n",
            ),
            ("{ password bob E04\n", "{ password xxx xxx\n"),
            ("\"password\" bob E06\n", "\"password\" xxx xxx\n"),
            (
                "  password root \\\n   E03 \\\n E04\nset a=b\n",
                "  password xxxx \\\n   xxx \\\n xxx\nset a=b\n",
            ),
            ("password \\\nme E03\n", "password \\\nxx xxx\n"),
            (
                "if true; then password_pbkdf2 me grub.pbkdf2.E02; fi\n",
                "if true; then password_pbkdf2 xx xxxxxxxxxxxxxxxx xx\n",
            ),
            (
                "A=\"-G e password H04\"\nB=1\n",
                "A=\"-G e password xxx\"\nB=1\n",
            ),
            (
                "cifsuser=me cifspass=C02 quiet\n",
                "cifsuser=me cifspass=xxx quiet\n",
            ),
            (
                "password=\"D09\nD10\\\" D11\" a=1\nisolcpus=2\n",
                "password=\"xxx\nxxxxx xxx\" a=1\nisolcpus=2\n",
            ),
            (
                "# no password='none\nisolcpus='2'\n",
                "# no password=xxxxx\nisolcpus='2'\n",
            ),
            (
                "http_proxy=u:C13@proxy:80 quiet\n",
                "http_proxy=xxxxx@proxy:80 quiet\n",
            ),
            (
                "HTTPS_PROXY=\"u:p=q@proxy:80\"\nno_proxy=a@b\n",
                "HTTPS_PROXY=\"xxxxx@proxy:80\"\nno_proxy=a@b\n",
            ),
            (
                "a=\"netroot=iscsi:u:p@h\" b=\\\"u:p@h\\\"\n",
                "a=\"netroot=iscsi:xxx@h\" b=\\\"u:p@h\\\"\n",
            ),
        ] {
            for path in ["/boot/grub2/grub.cfg", "/proc/cmdline"] {
                assert_eq!(blanked(path, text), expected);
            }
        }
    }

    #[test]
    fn secrets_of_other_files_are_blanked() {
        for (path, text, expected) in [
            (
                "/etc/sysctl.d/1.conf",
                "net.ipv4.tcp_fastopen_key = 0a-1b 2c\nvm.swappiness = 1\n",
                "net.ipv4.tcp_fastopen_key = xxxxx xx\nvm.swappiness = 1\n",
            ),
            (
                "/etc/hftune/profile.toml",
                "\"net.ipv4.tcp_fastopen_key\" = \"0a-1b\" # ours\n",
                "\"net.ipv4.tcp_fastopen_key\" = \"xxxxx\" # ours\n",
            ),
            (
                "/var/lib/hftune/in-force.json",
                "{\"net.ipv4.tcp_fastopen_key\": \"0a\", \"vm.swappiness\": 1}",
                "{\"net.ipv4.tcp_fastopen_key\": \"xx\", \"vm.swappiness\": 1}",
            ),
            (
                "/etc/netplan/1.yaml",
                "  password: open sesame\n  mtu: 9000\n",
                "  password: xxxx xxxxxx\n  mtu: 9000\n",
            ),
            ("/proc/sys/net/ipv4/tcp_fastopen_key", "0a-1b\n", "xxxxx\n"),
            (
                "/proc/9/mountinfo",
                "1 2 0:3 / / rw - ext4 /dev/a rw\n3 1 0:4 / /mnt rw - cifs //host/a rw,username=me\n",
                "1 2 0:3 / / rw - ext4 /dev/a rw\nx x xxx x xxxx xx x xxxx xxxxxxxx xxxxxxxxxxxxxx\n",
            ),
            (
                "/etc/sysconfig/network-scripts/keys-wlan0",
                "KEY1=s:abcde\n",
                "KEY1=xxxxxxx\n",
            ),
            (
                "/etc/NetworkManager/system-connections/a.nmconnection",
                "[connection]\nid=a\n\n[wifi-security]\npsk=b\n[802-1x]\nidentity=me\n[ethtool]\nring-rx=512\n",
                "[connection]\nid=a\n\n[wifi-security]\nxxxxx\n[802-1x]\nxxxxxxxxxxx\n[ethtool]\nring-rx=512\n",
            ),
            (
                "/persist/nm/a",
                "[connection]\nid=a\n[802-1x]\nidentity=me\n[ethtool]\nring-rx=512\n",
                "[connection]\nid=a\n[802-1x]\nxxxxxxxxxxx\n[ethtool]\nring-rx=512\n",
            ),
            (
                "/persist/nm/b",
                "[ipv4]\nmethod=auto\n[connection]\nautoconnect=no\n[ethtool]\n",
                "[ipv4]\nxxxxxxxxxxx\n[connection]\nautoconnect=no\n[ethtool]\n",
            ),
            (
                "/run/ostree/staged-deployment",
                "kargs\0\0root=UUID=1\0netroot=iscsi:u:L01@h\0cifspass=L02\0rd.iscsi.password=7\0ro\0\0as\u{1}\n",
                "kargs\0\0root=UUID=1\0netroot=iscsi:xxxxx@h\0cifspass=xxx\0rd.iscsi.password=1\0ro\0\0as\u{1}\n",
            ),
        ] {
            assert_eq!(blanked(path, text), expected);
        }
    }

    #[test]
    fn what_decides_a_plan_is_kept() {
        for text in [
            "kernel.keys.maxkeys = 200\nnet.sctp.auth_enable = 0\n",
            "iommu.passthrough=1 spec_store_bypass_disable=on crashkernel=1G-4G:192M@16M\n",
            "root=UUID=1-2 rootflags=subvol=@ rd.lvm.lv=a/b vconsole.keymap=us isolcpus=managed_irq,domain,2-7\n",
            "set superusers=\"root\"\nif [ x$feature_default_font_path = xy ] ; then\n  keystatus --shift\nfi\n",
            "search --no-floppy --fs-uuid --set=root 1-2\nmenuentry 'a' --class gnu $menuentry_id_option 'b' {\n",
            "* - memlock unlimited\n@trading - rtprio 99\n",
        ] {
            assert_eq!(blanked("/boot/grub/grub.cfg", text), text);
        }
        assert_eq!(blanked("/proc/interrupts", "password=1\n"), "password=1\n");
        for (path, text) in [
            (
                "/run/ostree/staged-deployment",
                "root=UUID=1\0crashkernel=1G-4G:192M@16M\0ro\0",
            ),
            (
                "/etc/NetworkManager/NetworkManager.conf",
                "[main]\nplugins=keyfile\n[connection]\nwifi.powersave=2\n",
            ),
            (
                "/var/lib/hftune/in-force.json",
                "{\"password\": \"\", \"a\": 1}",
            ),
        ] {
            assert_eq!(blanked(path, text), text);
        }
    }

    proptest! {
        #[test]
        fn lines_and_lengths_are_kept(text in "(password|key|[a-z.]{1,3}|[=:@?\"'\\\\ \n]|://|root=|\\PC){0,40}") {
            for path in ["/boot/grub/grub.cfg", "/etc/NetworkManager/system-connections/a"] {
                let (bytes, _) = blank(Path::new(path), text.as_bytes());
                prop_assert_eq!(bytes.len(), text.len());
                let newlines = |b: &[u8]| b.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i).collect::<Vec<_>>();
                prop_assert_eq!(newlines(&bytes), newlines(text.as_bytes()));
            }
        }

        #[test]
        fn a_secret_never_remains(before in "[a-z =\"']{0,12}", secret in "[A-Z]{6}[A-Z@?:,\\\\]{0,6}", after in "[a-z =\"']{0,12}") {
            let text = format!("{before} rd.iscsi.password={secret} {after}\n");
            let (bytes, _) = blank(Path::new("/boot/grub/grub.cfg"), text.as_bytes());
            prop_assert!(!String::from_utf8_lossy(&bytes).contains(&secret[..6]));
        }
    }
}
