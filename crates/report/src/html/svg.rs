//! Text and numbers in a page.

/// A text in HTML, also between double quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // What no browser shows would break the page.
            c if c.is_control() && !c.is_whitespace() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A scale of powers of ten.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    /// The power of ten at its beginning, and where that is.
    pub from: i32,
    /// As above.
    pub at: f64,
    /// How many powers it has, and how long each is; negative where it goes up the page.
    pub powers: i32,
    /// As above.
    pub length: f64,
}

impl Log {
    /// The place of a value; one below the scale is at its beginning.
    pub(super) fn place(&self, value: f64) -> f64 {
        let power = value.max(f64::MIN_POSITIVE).log10() - f64::from(self.from);
        self.at + power.clamp(0.0, f64::from(self.powers)) * self.length
    }

    /// The powers of ten with their places.
    pub(super) fn ticks(self) -> impl Iterator<Item = (f64, f64)> {
        (0..=self.powers).map(move |i| {
            (
                10f64.powi(self.from + i),
                self.at + f64::from(i) * self.length,
            )
        })
    }
}

/// A count with its thousands apart.
pub(super) fn count(number: f64) -> String {
    if number < 10.0 && number.fract() != 0.0 {
        return format!("{number:.2}");
    }
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}
