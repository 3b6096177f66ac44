//! Amounts of bytes, as people write them.

/// Reads `4194304`, `64KiB`, `256 MiB`, `1g`: powers of 1024, whatever the case.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is not an amount of bytes"))?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("{unit:?} is not a unit: use KiB, MiB or GiB")),
    };
    number.checked_mul(1 << shift).ok_or_else(|| format!("{text} is too much"))
}

/// Writes an amount in the largest unit that keeps it short.
pub(crate) fn show(bytes: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if bytes >= 1 << shift {
            let amount = bytes as f64 / f64::from(1_u32 << shift);
            return if amount.fract() == 0.0 { format!("{amount:.0} {unit}") } else { format!("{amount:.1} {unit}") };
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written() {
        for (text, bytes) in
            [("0", 0), ("4194304", 4 << 20), ("64KiB", 65_536), (" 256 MiB ", 256 << 20), ("1g", 1 << 30)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for bad in ["", "KiB", "-1", "1.5M", "3 parsecs", "18446744073709551615G"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!([show(12), show(65_536), show(3 << 19), show(1 << 30)], ["12 B", "64 KiB", "1.5 MiB", "1 GiB"]);
    }
}
