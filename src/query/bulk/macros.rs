//! How a bulk operation lists its objects, and how it selects them by id.

/// Implements `BulkRequest`. The file that calls it imports the names in it.
macro_rules! bulk_request {
    (
        $request:ident { $field:ident: $filter:ident by $ids:ident }
        lists $list:ident of $item:ident by $sort:expr, counts $count:ident,
        $operation:ident gives $outcome:ty, in $outcomes:ident
    ) => {
        impl BulkRequest for $request {
            type Outcome = $outcome;
            type List = $list;
            type Count = $count;

            fn sorted(list: $list) -> $list {
                list.sort($sort)
            }

            fn id(item: &$item) -> Uuid {
                item.id
            }

            fn tags(item: &$item) -> &[String] {
                item.tags.as_deref().unwrap_or_default()
            }

            fn only(&self, list: &$list, ids: &[Uuid]) -> Self {
                // Among alternatives, the ids would only be one more of them and narrow nothing.
                let kept = list
                    .$field
                    .as_ref()
                    .filter(|filter| filter.operator != Some(Operator::Or));
                let mut filter = kept.cloned().unwrap_or_default();
                let by_id = filter.id.take().unwrap_or_default();
                filter.id = Field::value($ids {
                    any_: Field::value(ids.to_vec()),
                    ..by_id
                });
                Self {
                    $field: filter.into(),
                    ..self.clone()
                }
                .limit(ids.len() as i64)
            }

            #[inline]
            fn send<'a>(self, client: &'a Client, ids: &'a [Uuid]) -> BoxFuture<'a, Result<Vec<$outcome>>> {
                Box::pin(async move {
                    let reply = client.raw().$operation(&self).await?.into_inner();
                    let outcomes = reply.$outcomes.unwrap_or_default();
                    bulk_request!(@complete $outcomes client outcomes ids $list { $field: $filter by $ids })
                })
            }
        }
    };
    // After a retry, the reply names only the objects that the last attempt deleted.
    (@complete deleted $client:ident $deleted:ident $all:ident $list:ident
        { $field:ident: $filter:ident by $ids:ident }
    ) => {{
        if $deleted.len() == $all.len() {
            return Ok($deleted);
        }
        let by_id = $filter::new().id($ids::new().any_($all.to_vec()));
        let list = $list::new().$field(by_id);
        let left = Query::new($client, (), list).await?;
        let left: Vec<_> = left.into_iter().map(|item| item.id).collect();
        Ok($all.iter().filter(|id| !left.contains(id)).copied().collect())
    }};
    // Each proposal has its result, and none is repeated.
    (@complete results $client:ident $results:ident $all:ident $($any:tt)*) => {{
        let _ = $all;
        Ok($results)
    }};
}

pub(crate) use bulk_request;
