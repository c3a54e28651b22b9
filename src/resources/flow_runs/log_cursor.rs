//! `LogCursor`: the log lines of a run that were not read yet.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::error::Result;
use crate::raw;
use crate::resources::seen_window::SeenWindow;
use crate::types::{
    Log, LogFilter, LogFilterFlowRunId, LogFilterTimestamp, LogSort, ReadLogsRequest,
};

/// How many lines are remembered, so that each is returned once, whenever it reaches the server.
const REMEMBERED_LINES: usize = 100_000;

/// How much later than newer ones a line may reach the server and still be returned: programs send lines in batches.
const ARRIVAL_DELAY: TimeDelta = TimeDelta::seconds(60);

/// Reads the lines of a run page by page, by their times.
///
/// Of the lines since a time, those that were read before are skipped by their number, so that reading costs nothing
/// when there are none. A line that arrives late moves the others, one of which then is read again: that is how it is
/// noticed.
pub(super) struct LogCursor {
    raw: Arc<raw::Client>,
    run: Uuid,
    since: Option<DateTime<Utc>>,
    seen: SeenWindow,
    largest_page: usize,
}

/// A span of time, with both its ends, if it has any.
type Span = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// New lines, the oldest first.
pub(super) struct NewLines {
    pub lines: Vec<Log>,
    /// Whether there are no more at the moment, as far as can be told.
    pub is_last: bool,
}

impl LogCursor {
    pub(super) fn new(raw: Arc<raw::Client>, run: Uuid, since: Option<DateTime<Utc>>) -> Self {
        Self {
            raw,
            run,
            since,
            seen: SeenWindow::new(REMEMBERED_LINES),
            largest_page: 1,
        }
    }

    /// The time of the last line but `lines`; `None` if there are fewer.
    pub(super) async fn start_of_tail(&self, lines: u32) -> Result<Option<DateTime<Utc>>> {
        let last_but = i64::from(lines.saturating_sub(1));
        let mut body = self.request((self.since, None), LogSort::TimestampDesc, last_but);
        body.limit = Some(1);
        let page = self.raw.read_logs(&body).await?.into_inner();
        let after_all = TimeDelta::microseconds(i64::from(lines == 0));
        Ok(page.first().map(|line| line.timestamp + after_all))
    }

    pub(super) fn begin_at(&mut self, since: DateTime<Utc>) {
        self.since = Some(since);
    }

    /// Reads the next lines.
    pub(super) async fn read(&mut self) -> Result<NewLines> {
        let since = self.window();
        let known = self.seen.count_since(since);
        let body = self.request((since, None), LogSort::TimestampAsc, known as i64);
        let page = self.raw.read_logs(&body).await?.into_inner();
        let is_last = page.len() < self.largest_page;
        self.largest_page = self.largest_page.max(page.len());
        let read = page.len();
        let mut ids = HashSet::new();
        let mut lines = self.unseen(page, &mut ids);
        // As many lines have arrived late as were read again.
        let late = read - lines.len();
        if late > 0 {
            lines.extend(self.late(since, late, ids).await?);
            lines.sort_by_key(|line| line.timestamp);
        }
        // Only now, so that nothing is lost if a request fails.
        for line in &lines {
            self.seen.insert(line.timestamp, line.id);
        }
        Ok(NewLines { lines, is_last })
    }

    /// Finds this many late lines, or fewer if one that was read has only moved: from the newest that was seen back.
    /// Newer lines are read in their turn. Lines with these ids were found already.
    async fn late(
        &self,
        since: Option<DateTime<Utc>>,
        count: usize,
        mut found: HashSet<Uuid>,
    ) -> Result<Vec<Log>> {
        let span = (since, self.seen.newest());
        let count = found.len() + count;
        let (mut late, mut offset) = (Vec::new(), 0);
        while found.len() < count {
            let body = self.request(span, LogSort::TimestampDesc, offset);
            let page = self.raw.read_logs(&body).await?.into_inner();
            if page.is_empty() {
                break;
            }
            offset += page.len() as i64;
            late.extend(self.unseen(page, &mut found));
        }
        Ok(late)
    }

    /// The lines of a page that were not read before, and are not among those found, to which they are added.
    fn unseen(&self, page: Vec<Log>, found: &mut HashSet<Uuid>) -> Vec<Log> {
        let mut is_unseen =
            |line: &Log| !self.seen.contains(line.timestamp, line.id) && found.insert(line.id);
        page.into_iter().filter(|line| is_unseen(line)).collect()
    }

    /// The time since which lines are read: all that were seen since then are known.
    fn window(&self) -> Option<DateTime<Utc>> {
        // A line may be dated ahead, but lines of now are still to come.
        let newest = self.seen.newest().map(|newest| newest.min(Utc::now()));
        let arriving = newest.map(|newest| newest - ARRIVAL_DELAY);
        arriving.max(self.seen.complete_since()).max(self.since)
    }

    fn request(&self, (since, until): Span, sort: LogSort, offset: i64) -> ReadLogsRequest {
        let run = LogFilterFlowRunId::new().any_(vec![self.run]);
        let mut filter = LogFilter::new().flow_run_id(run);
        let mut times = LogFilterTimestamp::new();
        if let Some(since) = since {
            times = times.after_(since);
        }
        if let Some(until) = until {
            times = times.before_(until);
        }
        if since.or(until).is_some() {
            filter = filter.timestamp(times);
        }
        ReadLogsRequest::new()
            .logs(filter)
            .sort(sort)
            .offset(offset)
    }
}
