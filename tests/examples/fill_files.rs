//! Fills a project's `files` and `search` with files that were uploaded, read
//! and indexed, as rows of their tables, and writes down what a bench then
//! searches for: words that most have, words that few have, two at once, and
//! words with a letter wrong. Bytes of the files there are none.
//!
//! `fill_files <data folder, or Postgres URL> <project id> <count> <in one folder> <queries>`

use anyhow::{Context as _, Result, bail};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use std::{collections::BTreeSet, fmt::Write as _, path::Path};

/// Different words of all texts, and words of one text.
const WORDS: u64 = 20_000;
const WORDS_OF_A_TEXT: usize = 150;
/// Rows of one insert.
const BATCH: u64 = 500;
/// Queries that are written down.
const QUERIES: u64 = 1_000;
/// When the first of the files was made, milliseconds since 1970.
const FIRST_AT: u64 = 1_700_000_000_000;
/// The folder that many of them lie in.
const FOLDER: &str = "00000000-0000-7000-8000-00000000f01d";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [place, project, count, in_folder, queries] = words.as_slice() else {
        bail!(
            "fill_files <data folder, or Postgres URL> <project id> <count> <in one folder> <queries>"
        );
    };
    let mut database = Database::open(place, project).await?;
    let (count, in_folder) = (count.parse()?, in_folder.parse()?);
    database
        .run(
            "files",
            &format!(
                "INSERT INTO folders (id, owner, parent_id, name, path, depth, created_at, updated_at) \
                 VALUES ('{FOLDER}', '', NULL, 'many', 'many', 1, {FIRST_AT}, {FIRST_AT})"
            ),
        )
        .await?;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for first in (0..count).step_by(usize::try_from(BATCH)?) {
        let batch = Batch::of(first..count.min(first + BATCH), in_folder, &mut dice);
        for (plugin, sql) in batch.statements(&database) {
            database.run(plugin, &sql).await?;
        }
    }
    for first in (0..WORDS).step_by(usize::try_from(BATCH)?) {
        for sql in terms(first..first + BATCH) {
            database.run("search", &sql).await?;
        }
    }
    let at = FIRST_AT + count;
    // All are known, and `files` need not tell of them.
    let mark = format!(
        "INSERT INTO marks (scope, updated_at, next_mark) VALUES ('*', {at}, {at}), ('', 0, 0)"
    );
    database.run("search", &mark).await?;
    for plugin in ["files", "search"] {
        database.run(plugin, "ANALYZE").await?;
    }
    std::fs::write(queries, self::queries(&mut dice)).context("write the queries")
}

/// Where the tables of the plugins are.
enum Database {
    /// A file for each plugin.
    Sqlite {
        files: SqliteConnection,
        search: SqliteConnection,
    },
    /// A schema for each.
    Postgres(PgConnection),
}

impl Database {
    async fn open(place: &str, project: &str) -> Result<Self> {
        if place.starts_with("postgres:") {
            let name = format!("proj_{}", project.replace('-', ""));
            let options: sqlx::postgres::PgConnectOptions = place.parse()?;
            let connection = PgConnection::connect_with(&options.database(&name)).await?;
            return Ok(Self::Postgres(connection));
        }
        let file = |plugin| {
            Path::new(place)
                .join("projects")
                .join(project)
                .join(format!("plugin_{plugin}.db"))
        };
        let open = async |plugin| -> Result<SqliteConnection> {
            let path = file(plugin);
            anyhow::ensure!(path.is_file(), "{} is not there", path.display());
            let url = format!("sqlite:{}", path.display());
            Ok(SqliteConnection::connect(&url).await?)
        };
        Ok(Self::Sqlite {
            files: open("files").await?,
            search: open("search").await?,
        })
    }

    async fn run(&mut self, plugin: &str, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite { files, search } => {
                let connection = if plugin == "files" { files } else { search };
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                    .execute(connection)
                    .await?;
            }
            Self::Postgres(connection) => {
                let sql = format!("SET search_path TO {plugin}; {sql}");
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                    .execute(connection)
                    .await?;
            }
        }
        Ok(())
    }
}

/// Rows of some files, as values of inserts.
#[derive(Default)]
struct Batch {
    objects: String,
    entries: String,
    texts: String,
    words: String,
}

impl Batch {
    fn of(numbers: std::ops::Range<u64>, in_folder: u64, dice: &mut Dice) -> Self {
        let mut batch = Self::default();
        for number in numbers {
            let id = format!("00000000-0000-7000-8000-{number:012x}");
            let (one, two) = (word(dice.rank()), word(dice.rank()));
            let name = format!("{one} {two} {number}.txt");
            let (path, folder) = if number < in_folder {
                (format!("many/{name}"), format!("'{FOLDER}'"))
            } else {
                (name.clone(), "NULL".to_owned())
            };
            let mut text = String::new();
            for _ in 0..WORDS_OF_A_TEXT {
                text.push_str(&word(dice.rank()));
                text.push(' ');
            }
            let (size, at) = (text.len(), FIRST_AT + number);
            let separator = if batch.objects.is_empty() { "" } else { "," };
            let _ = write!(
                batch.objects,
                "{separator}('{id}','none','','{path}','{name}',{size},'text/plain','{number:064x}',1,\
                 'private','[]',{at},{at},{folder})"
            );
            // Numbers of rows begin with 1.
            let row = number + 1;
            let _ = write!(
                batch.entries,
                "{separator}({row},'{id}','','private','{name}','text/plain',{at},{at})"
            );
            let _ = write!(batch.texts, "{separator}({row},'{text}')");
            let _ = write!(
                batch.words,
                "{separator}({row},'{one} {two} {number} txt','','{text}')"
            );
        }
        batch
    }

    fn statements(&self, database: &Database) -> [(&'static str, String); 4] {
        let (overriding, words) = match database {
            Database::Sqlite { .. } => (
                "",
                format!(
                    "INSERT INTO words (rowid, name, tags, content) VALUES {}",
                    self.words
                ),
            ),
            Database::Postgres(_) => (
                "OVERRIDING SYSTEM VALUE",
                format!(
                    "INSERT INTO words (number, words) SELECT number, \
                     setweight(to_tsvector('simple', name), 'A') || \
                     setweight(to_tsvector('simple', content), 'D') \
                     FROM (VALUES {}) AS rows (number, name, tags, content)",
                    self.words
                ),
            ),
        };
        [
            (
                "files",
                format!(
                    "INSERT INTO objects (id, object_key, owner, path, filename, size, mime_type, sha256, \
                     version, visibility, tags, created_at, updated_at, folder_id) VALUES {}",
                    self.objects
                ),
            ),
            (
                "search",
                format!(
                    "INSERT INTO entries (number, file_id, owner, visibility, filename, mime_type, \
                     created_at, updated_at) {overriding} VALUES {}",
                    self.entries
                ),
            ),
            (
                "search",
                format!("INSERT INTO texts (number, content) VALUES {}", self.texts),
            ),
            ("search", words),
        ]
    }
}

/// The words of these ranks and their parts of three letters, as `search` keeps
/// them to find what somebody meant.
fn terms(ranks: std::ops::Range<u64>) -> [String; 2] {
    let (mut terms, mut grams) = (Vec::new(), Vec::new());
    for rank in ranks {
        let term = word(rank);
        let letters: Vec<char> = format!(" {term} ").chars().collect();
        let parts: BTreeSet<String> = letters
            .windows(3)
            .map(|part| part.iter().collect())
            .collect();
        grams.extend(parts.iter().map(|part| format!("('{part}','{term}')")));
        terms.push(format!("('{term}')"));
    }
    [
        format!("INSERT INTO terms (term) VALUES {}", terms.join(",")),
        format!("INSERT INTO grams (gram, term) VALUES {}", grams.join(",")),
    ]
}

/// What somebody may type, a line each, for an address.
fn queries(dice: &mut Dice) -> String {
    let mut lines = String::new();
    for number in 0..QUERIES {
        let (often, seldom) = (word(dice.below(30)), word(100 + dice.below(WORDS - 100)));
        let query = match number % 4 {
            0 => seldom,
            1 => often,
            2 => format!("{often}+{seldom}"),
            // A letter is missing in the middle.
            _ => seldom
                .chars()
                .enumerate()
                .filter(|(at, _)| *at != 4)
                .map(|(_, c)| c)
                .collect(),
        };
        let _ = writeln!(lines, "{query}");
    }
    lines
}

/// The word of a rank: syllables, and so pronounceable and all different.
fn word(rank: u64) -> String {
    const STARTS: [char; 14] = [
        'b', 'd', 'f', 'g', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z',
    ];
    const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
    // Spread by a number that has no factor in common with the count of such
    // words, so that words of near ranks do not look alike and none is twice.
    let mut rest = rank * 1_234_577 % 24_010_000;
    let mut word = String::new();
    for _ in 0..4 {
        let syllables = (STARTS.len() * VOWELS.len()) as u64;
        let syllable = usize::try_from(rest % syllables).unwrap_or_default();
        rest /= syllables;
        word.extend(STARTS.get(syllable / VOWELS.len()));
        word.extend(VOWELS.get(syllable % VOWELS.len()));
    }
    word
}

/// Numbers that look random and are the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A rank as words of a language have them: the n-th with a frequency of
    /// about 1/n (Zipf).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small numbers, rounded on purpose"
    )]
    fn rank(&mut self) -> u64 {
        let share = self.below(1 << 20) as f64 / (1_u64 << 20) as f64;
        ((WORDS as f64).powf(share) as u64).min(WORDS) - 1
    }
}
