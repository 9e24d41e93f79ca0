// What a Relay application would have in its components: fragments, a connection that it pages through, and a mutation that
// brings the changed object.
import { graphql } from 'react-relay';

export const query = graphql`
  query PeopleQuery($first: Int!) {
    viewer { user { ...People_person } }
    account { id name ...People_keys @arguments(first: $first) }
  }
`;

export const person = graphql`
  fragment People_person on User { id displayName email isPrimary }
`;

export const keys = graphql`
  fragment People_keys on Account
  @refetchable(queryName: "PeopleKeysPaginationQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" }, search: { type: "String" }) {
    apiKeys(first: $first, after: $after, filter: { search: $search }) @connection(key: "People_apiKeys", filters: ["filter"]) {
      totalCount
      edges { node { id name status unit { id name } viewerGrant { enabled source } } }
    }
  }
`;

export const grants = graphql`
  fragment People_grants on User @refetchable(queryName: "PeopleGrantsRefetchQuery") {
    grants(first: 20) { nodes { id enabled source key { id name } } }
  }
`;

export const setGrant = graphql`
  mutation PeopleSetGrantMutation($input: SetGrantInput!) {
    setGrant(input: $input) {
      grant { id enabled source user { ...People_grants } }
      userErrors { __typename code message path ... on LimitError { limit } }
    }
  }
`;
