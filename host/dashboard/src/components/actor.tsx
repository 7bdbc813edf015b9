import { useQuery } from "@tanstack/react-query";
import { api, take } from "@/api/client";

/** Who did something: the address where it is an admin's id, else the text as it is, or the end of it alone. */
export function ActorName({ id, short }: { id: string; short?: boolean }) {
  const { data } = useQuery({
    queryKey: ["admins"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/admins", { params: { query: { limit: 1_000 } }, signal })),
    staleTime: 60_000,
    retry: false,
  });
  const email = data?.items.find((one) => one.id === id)?.email;
  return email ? <span title={id}>{email}</span> : short ? `…${id.slice(-8)}` : id || "the platform itself";
}
